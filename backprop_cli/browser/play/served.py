"""Rows that a script sends, answered by the model of a run: what `bp predict` does, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from backprop_cli.commands.answers import Csv, as_json, document
from backprop_cli.commands.predict import STDIN, predict
from backprop_cli.commands.trained import load
from backprop_cli.errors import UsageError, expected
from backprop_cli.model.model import Model
from backprop_cli.runs.directory import RunDirectory

MOST = 10_000  # rows of a request
MOST_MODELS = 16


class Models:
    """The models of some runs by run id, each read when it is first asked for.

    Raises UsageError for too many, or two of one id.
    """

    def __init__(self, runs: Sequence[RunDirectory] = ()) -> None:
        if len(runs) > MOST_MODELS:
            raise UsageError(f"{len(runs)} runs; expected at most {MOST_MODELS}")
        self._paths = {run.id: run.path for run in runs}
        self._read: dict[str, Model] = {}
        if len(self._paths) < len(runs):
            raise UsageError(f"two runs have the same id; expected different ones, got {[run.id for run in runs]}")

    def get(self, name: str | None) -> Model:
        """The model of that run, by default of the first. Raises UsageError, CheckpointError."""
        if not self._paths:
            raise UsageError("predictions need a trained model; start bp play RUN")
        name = next(iter(self._paths)) if name is None else name
        if name not in self._paths:
            raise UsageError(f"no model {name!r:.100} is served; {expected(name, list(self._paths))}")
        if name not in self._read:
            self._read[name] = load(self._paths[name])
        return self._read[name]


def answered(model: Model, body: str, form: str) -> dict[str, Any]:
    """What the model says of the rows in a body: {"csv": text} for CSV with a header; for JSON what
    `bp predict --json` prints, and `notes` of what was not as in training.

    JSON is a list of objects by column, or of arrays as the network takes them. Raises UsageError, DataError.
    """
    if form == "csv":
        _few(body.count("\n"))
        text = "".join(map(Csv(), _streamed(model, body, [])))
        if not text:
            raise UsageError("no rows; expected a header, and a line for each row")
        return {"csv": text}
    try:
        rows = json.loads(body)
    except (ValueError, RecursionError):
        raise UsageError("the body is not JSON") from None
    if not isinstance(rows, list) or not rows:
        raise UsageError('expected a list of rows: objects such as {"width": 1.5}, or arrays')
    _few(len(rows))
    notes: list[str] = []
    if isinstance(rows[0], dict):
        return {**as_json(document(model, _streamed(model, json.dumps(rows), notes))), "notes": notes}
    try:
        x = np.asarray(rows)
    except ValueError:
        x = np.empty(0, object)
    if x.dtype.kind not in "iufb":
        raise UsageError("expected arrays of numbers, all of one shape")
    reading, y = model.description.reading, model.outputs(x)
    return {"run_id": model.run_id, "samples": len(y), "kind": reading.kind, "notes": notes,
            "columns": reading.columns(model.network.output_shape), "predictions": reading.answers(y),
            "outputs": y.tolist()}  # fmt: skip


def _few(rows: int) -> None:
    if rows > MOST:
        raise UsageError(f"{rows:,} rows; expected at most {MOST:,} in a request, so send several")


def _streamed(model: Model, text: str, notes: list[str]) -> Any:
    with TemporaryFile() as file:
        file.write(text.encode())
        file.seek(0)
        yield from predict(model, [STDIN], stdin=file.fileno(), warn=notes.append)
