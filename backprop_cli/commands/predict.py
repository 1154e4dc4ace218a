"""What `bp predict` does: rows without targets through a trained network."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli import build
from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.inputs import read_inputs
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.metrics_log import dumps
from backprop_cli.training.threads import limited

Array = npt.NDArray[Any]
FORMATS = (".csv", ".json", ".npy")


def predict(run: RunDirectory, path: Path, checkpoint: str = "best", **options: Any) -> dict[str, Any]:
    """The network's outputs for every row of a file; what `bp predict --json` prints.

    `outputs` has a row an input; for classes, `predictions` names the likeliest. Raises DataError.
    """
    prepared, _ = build.load_run(run, checkpoint, **options)
    dataset = prepared.dataset
    known = {**dataset.origin, "features": dataset.features, "classes": dataset.classes}
    x = read_inputs(path, known, dataset.input_shape)
    first = next(iter(dataset.splits.values()))
    targets = np.zeros((len(x), *first.y.shape[1:]), first.y.dtype)
    rows = replace(prepared, dataset=Dataset(dataset.name, dataset.source, {"rows": Split(x, targets)}))
    batches = rows.batches("rows")
    with limited(prepared.network, batches.batch_size):
        show = options.get("progress") or (lambda *_: None)
        made = []
        for i, (x, _) in enumerate(batches.epoch(0), start=1):
            made.append(prepared.network.forward(x))
            show("predicting", i, batches.steps_per_epoch)
    outputs = np.concatenate(made)
    return {
        "run_id": run.id,
        "samples": len(outputs),
        "classes": dataset.classes,
        "predictions": _named(outputs, dataset.classes),
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
