"""A trained run, measured on a split of its data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy.typing as npt

from backprop_cli.build import load_run
from backprop_cli.engine.metrics.base import counted
from backprop_cli.engine.metrics.report import class_report, label_report
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import evaluate
from backprop_cli.training.threads import limited

Array = npt.NDArray[Any]


def evaluate_run(
    run: RunDirectory, split: str | None = None, checkpoint: str = "best", **options: Any
) -> dict[str, Any]:
    """Loss and metrics of a run on a split, with a confusion matrix for classes; what `bp eval --json` prints."""
    prepared, path = load_run(run, checkpoint, **options)
    split = split or prepared.measured_split
    batches, network = prepared.batches(split), prepared.network
    reading = prepared.reading
    predicted: list[Array] = []
    truth: list[Array] = []

    def watched() -> Iterator[tuple[Array, Array]]:
        show = options.get("progress") or (lambda *_: None)
        for i, (x, y) in enumerate(batches.epoch(0), start=1):
            yield x, y
            show(f"evaluating {split}", i, batches.steps_per_epoch)
            if reading.kind != "values":
                z, target = counted(network.output, y, network.output_mask)
                predicted.append(reading.ids(z))
                truth.append(reading.truth(target, z).copy())  # a view of the batch, which the next one overwrites

    with limited(network, batches.batch_size):
        measured = evaluate(network, watched(), prepared.config.trainer.metrics)
    result = {
        "run_id": run.id,
        "split": split,
        "checkpoint": str(path),
        "samples": batches.samples,
        "metrics": measured,
    }
    width = network.output_shape[-1]
    if reading.has_classes:
        return result | class_report(predicted, truth, reading.class_names(width))
    return result | label_report(predicted, truth, reading.output_names(width))
