"""What `bp predict` does: rows without targets through a trained network."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli import build
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
    outputs = model.outputs(path)
    return {
        "run_id": run.id,
        "samples": len(outputs),
        "classes": model.classes,
        "predictions": _named(outputs, model.classes),
        "outputs": outputs,
    }


def _named(outputs: Array, classes: list[str] | None) -> Any:
    """The likeliest class of each row by name; without classes, the outputs themselves."""
    if not classes:
        return (outputs[..., 0] if outputs.shape[-1] == 1 else outputs).tolist()
    ids = (outputs[..., 0] > 0.5).astype(int) if outputs.shape[-1] == 1 else outputs.argmax(axis=-1)
    return np.asarray(classes, dtype=object)[ids].tolist()


def as_csv(found: dict[str, Any]) -> str:
    """A line a row: its number, the prediction, then every output."""
    outputs, classes = found["outputs"], found["classes"]
    flat = outputs.reshape(len(outputs), -1)
    one_each = classes and outputs.ndim == 2 and len(classes) == flat.shape[1]
    names = [f"p({name})" for name in classes] if one_each else [f"y{i + 1}" for i in range(flat.shape[1])]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["row", *(["prediction"] if classes else []), *names])
    for i, (row, prediction) in enumerate(zip(flat.tolist(), found["predictions"], strict=True)):
        word = " ".join(prediction) if isinstance(prediction, list) else prediction
        writer.writerow([i, *([word] if classes else []), *(f"{value:.6g}" for value in row)])
    return text.getvalue()


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
