"""A trained model, measured on a split of its run's data or on a file with targets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from backprop_cli.commands.baselines import baselines
from backprop_cli.commands.evidence import RESAMPLES, Evidence, calibration, groups, intervals, thresholds, worst
from backprop_cli.commands.groups import values_of
from backprop_cli.commands.trained import load_run
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.schema import Schema
from backprop_cli.data.shares import usual
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric, counted
from backprop_cli.engine.metrics.report import class_report, label_report
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited

Say = Callable[[str], None]
LOSSES = 20_000  # examples up to which the loss of each is told
KEPT = 1 << 26  # outputs that are kept to see how far the numbers can be trusted


def evaluate_run(
    run: RunDirectory,
    split: str | None = None,
    checkpoint: str = "best",
    *,
    by: Sequence[str] = (),
    baseline: bool = False,
    resamples: int = RESAMPLES,
    **options: Any,
) -> dict[str, Any]:
    """Loss and metrics of a run on a split, with a confusion matrix for classes; what `bp eval --json` prints.

    `by` are columns whose values part the rows into groups, `baseline` asks for models to compare with. Raises
    CheckpointError, DataError; UsageError for a column that is no feature, or `baseline` with several outputs.
    """
    prepared, path = load_run(run, checkpoint, **options)
    split = prepared.measured_split if split is None else usual(split) or split
    batches = prepared.batches(split)
    digest = fingerprint(prepared.dataset)
    progress = options.get("progress")
    numbers, evidence = measured(
        prepared.network, batches, prepared.reading, prepared.config.trainer.metrics, progress, split
    )
    compared = baselines(prepared, split, evidence) if baseline and evidence is not None else {}
    if baseline and prepared.config.loss.outputs:
        raise UsageError(
            "--baseline compares one output with its targets; this model has several, by the loss combined"
        )
    return {
        "run_id": run.id,
        "split": split,
        "checkpoint": str(path),
        "samples": batches.samples,
        "data": about_data(prepared.dataset.name, digest, prepared.schema),
        **numbers,
        **trusted(evidence, prepared.dataset.splits[split], prepared.schema, by, resamples),
        "baselines": compared,
    }


def about_data(name: str, digest: str, schema: Schema) -> dict[str, Any]:
    """Which data were measured, and whether they are those that the model comes from."""
    return {
        "name": name,
        "fingerprint": digest,
        "trained_on": schema.fingerprint,
        "same": digest == schema.fingerprint,
    }


def measured(
    network: Network,
    batches: Batches,
    reading: Reading,
    metrics: Sequence[Metric],
    progress: Any,
    what: str,
    averaged: Callable[[Array], Array] | None = None,
) -> tuple[dict[str, Any], Evidence | None]:
    """Loss, metrics and confusion matrix; and the answers, unless they would take much memory. `averaged` is that of
    `training.passes.evaluate`."""
    predicted: list[Array] = []
    truth: list[Array] = []
    logits = network.gives_logits and any(metric.wants_logits for metric in metrics)
    kept: list[tuple[Array | None, ...]] | None = []
    losses: list[Array | None] = []
    if batches.samples * int(np.prod(network.output_shape)) > KEPT:
        kept = None

    def watched() -> Iterator[tuple[Array, Array]]:
        show = progress or (lambda *_: None)
        for i, (x, y) in enumerate(batches.epoch(0), start=1):
            yield x, y
            show(f"evaluating {what}", i, batches.steps_per_epoch)
            if kept is not None:
                mask = network.output_mask
                losses.append(network.told_each(y) if batches.samples <= LOSSES else None)
                kept.append(
                    (
                        network.output.copy(),
                        y.copy(),
                        network.logits.copy() if logits else None,
                        None if mask is None else mask.copy(),
                    )
                )
            if reading.kind != "values":
                z, target = counted(network.output, y, network.output_mask)
                predicted.append(reading.ids(z))
                truth.append(reading.truth(target, z).copy())  # a view of the batch, which the next one overwrites

    with limited(network, batches.batch_size):
        numbers = evaluate(network, watched(), metrics, weight=lambda: batches.weight, averaged=averaged)
    width = network.output_shape[-1]
    names = reading.class_names(width) if reading.has_classes else reading.output_names(width)
    report = class_report if reading.has_classes else label_report
    evidence = None
    if kept:
        y, target, z, mask = (
            None if arrays[0] is None else np.concatenate(arrays) for arrays in zip(*kept, strict=True)
        )
        assert y is not None
        assert target is not None
        known = [loss for loss in losses if loss is not None]
        of_each = np.concatenate(known) if known and len(known) == len(losses) else None
        evidence = Evidence(y, target, z, mask, reading, metrics, of_each)
    return {"metrics": numbers, **report(predicted, truth, names)}, evidence


def trusted(
    evidence: Evidence | None, split: Split, schema: Schema, by: Sequence[str], resamples: int
) -> dict[str, Any]:
    """How far the numbers can be trusted; see `evidence`. Raises UsageError for a column that is no feature."""
    if evidence is None:
        return {"intervals": {}, "calibration": None, "thresholds": [], "worst": [], "by": {}}
    return {
        "intervals": intervals(evidence, resamples=resamples),
        "calibration": calibration(evidence),
        "thresholds": thresholds(evidence),
        "worst": worst(evidence, split.rows),
        "by": {column: groups(evidence, values_of(split, schema, column)) for column in by},
    }
