"""Rows that a script sends, answered by the model of a run: what `bp predict` does, over HTTP."""

from __future__ import annotations

import json
from tempfile import TemporaryFile
from typing import Any

import numpy as np

from backprop_cli.commands.answers import Csv, as_json, document
from backprop_cli.commands.predict import STDIN, predict
from backprop_cli.errors import UsageError
from backprop_cli.model.model import Model

MOST = 10_000  # rows of a request
FORMS = ("csv", "json")


def answered(model: Model, body: str, form: str) -> dict[str, Any]:
    """What the model says of the rows in a body: {"csv": text} for CSV with a header; for JSON what
    `bp predict --json` prints, and `notes` of what was not as in training.

    JSON is a list of objects by column, or of arrays as the network takes them. Raises UsageError, DataError.
    """
    if form == "csv":
        _few(body.count("\n"))
        return {"csv": "".join(map(Csv(), _streamed(model, body, [])))}
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
