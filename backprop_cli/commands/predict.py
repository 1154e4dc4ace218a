"""What `bp predict` does: rows without targets through a trained network."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli import build
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.metrics_log import dumps

Array = npt.NDArray[Any]
FORMATS = (".csv", ".json", ".npy")


def predict(run: RunDirectory, path: Path, checkpoint: str = "best", **options: Any) -> dict[str, Any]:
    """The network's outputs for every row of a file; what `bp predict --json` prints.

    `outputs` has a row an input; for classes, `predictions` names the likeliest. Raises DataError.
    """
    model = build.load(run.path, checkpoint, **options)
    rows = model.rows(path)
    outputs = model.outputs(rows)
    return {
        "run_id": run.id,
        "samples": len(outputs),
        **read_outputs(model.description.reading, outputs),
        **({"files": rows.files} if rows.files else {}),
    }


def read_outputs(reading: Reading, outputs: Array) -> dict[str, Any]:
    """Outputs y (N, …) as they are to be read: the names of classes, what each row says, a heading for each number."""
    width, classes = outputs.shape[-1] if outputs.ndim > 1 else 1, None
    if reading.kind != "values":
        classes = reading.class_names(width) if reading.has_classes else reading.output_names(width)
    return {
        "kind": reading.kind,
        "classes": classes,
        "predictions": reading.answers(outputs),
        "columns": reading.columns(outputs.shape[1:]),
        "outputs": outputs,
    }


def as_csv(result: dict[str, Any]) -> str:
    """A line a row: its number, its file if it is one, the answer unless that is a number, then every output. Where
    outputs say yes or no, each has its answer, 1 or 0, in a column of its own."""
    outputs, kind, files = result["outputs"], result["kind"], result.get("files")
    heads, each_asked = [], kind == "labels" and outputs.ndim == 2
    if each_asked:
        heads = list(result["classes"])
    elif kind != "values":
        heads = ["prediction"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *(["file"] if files else []), *heads, *result["columns"]])
    flat = outputs.reshape(len(outputs), -1).tolist()
    for i, (row, said) in enumerate(zip(flat, result["predictions"], strict=True)):
        answer = [int(name in said) for name in heads] if each_asked else [_words(said)] * len(heads)
        writer.writerow([i, *([files[i]] if files else []), *answer, *(f"{value:.6g}" for value in row)])
    return text.getvalue()


def _words(said: Any) -> Any:
    """The answers of a row's steps behind each other."""
    if not isinstance(said, list):
        return said
    return " ".join("+".join(each) if isinstance(each, list) else str(each) for each in said)


def as_json(found: dict[str, Any]) -> dict[str, Any]:
    """The same as plain data."""
    return {**found, "outputs": found["outputs"].tolist()}


def save(found: dict[str, Any], path: Path) -> None:
    """Write predictions as .csv, .json, or the bare outputs as .npy. Raises UsageError for another ending."""
    if path.suffix == ".npy":
        buffer = io.BytesIO()
        np.save(buffer, found["outputs"], allow_pickle=False)
        write_atomically(path, [buffer.getvalue()])
    elif path.suffix == ".json":
        write_atomically(path, [dumps(as_json(found)).encode()])
    elif path.suffix == ".csv":
        write_atomically(path, [as_csv(found).encode()])
    else:
        raise UsageError(f"--output {path}: expected a name ending in {', '.join(FORMATS)}")
