"""A trained model, measured on a split of its run's data or on a file with targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.baselines import baselines
from backprop_cli.commands.evidence import RESAMPLES, Evidence, calibration, groups, intervals, thresholds, worst
from backprop_cli.commands.groups import values_of
from backprop_cli.commands.trained import config_of, load_run, run_around
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.files import Files
from backprop_cli.data.files.columns import column_names
from backprop_cli.data.files.layout import guess
from backprop_cli.data.files.options import TABLES
from backprop_cli.data.files.paths import format_of
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.schema import Schema
from backprop_cli.data.shares import usual
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric, counted
from backprop_cli.engine.metrics.report import class_report, label_report
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BpError, UsageError
from backprop_cli.model.model import Model
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited

Say = Callable[[str], None]
LOSSES = 20_000  # examples up to which the loss of each is told
KEPT = 1 << 26  # outputs that are kept to see how far the numbers can be trusted
WHOLE = "data"  # what the rows of --data FILE are called


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

    `by` are columns whose values part the rows into groups, `baseline` asks for models to compare with.
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
    return {
        "run_id": run.id,
        "split": split,
        "checkpoint": str(path),
        "samples": batches.samples,
        "data": _about(prepared.dataset.name, digest, prepared.schema),
        **numbers,
        **trusted(evidence, prepared.dataset.splits[split], prepared.schema, by, resamples),
        "baselines": compared,
    }


def evaluate_file(
    model: Model,
    path: Path,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    warn: Say | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """The same of a model on all rows of a file, or a folder of images, which has the targets too.

    Raises DataError; UsageError where the loss is a plugin's that was not given.
    """
    if model.loss is None:
        needed = ", ".join(plugin.file for plugin in model.description.plugins if "loss" in plugin.used_by)
        raise UsageError(f"{model.path}: its loss needs the plugin {needed}; give the file with --plugin FILE")
    schema = model.description.data
    dataset = load_dataset(_source(path, schema), 0, Path("/"), warn=warn, progress=progress, known=schema)
    (split,) = dataset.splits.values()
    batches = model.batches(split)
    digest = fingerprint(dataset)
    numbers, evidence = measured(model.network, batches, model.description.reading, model.metrics, progress, WHOLE)
    return {
        "run_id": model.run_id,
        "split": WHOLE,
        "checkpoint": str(model.path),
        "samples": batches.samples,
        "data": _about(str(path), digest, schema) | {"same": _trained_on(model, path)},
        **numbers,
        **trusted(evidence, split, schema, by, resamples),
    }


def _trained_on(model: Model, path: Path) -> bool | None:
    """Whether a file in the place of the run's own gives the splits that the model was trained on. None where that
    cannot be known: the model's file lies in no run, or the run's splits are not dealt from one file.
    """
    run = run_around(model.path) if model.path is not None else None
    if run is None:
        return None
    schema = model.description.data
    try:
        cfg = config_of(run, [f"dataset.path={json.dumps(str(path.absolute()))}"])
        dataset = load_dataset(cfg.dataset, cfg.seed, cfg.folder, known=schema)
    except BpError:
        return None
    read = {Path(name).absolute() for name in dataset.origin.get("files", {}).values()}
    return fingerprint(dataset) == schema.fingerprint if read == {path.absolute()} else None


def _source(path: Path, schema: Schema) -> Files:
    """A file as the data of the model were: its target, its pictures' size, its windows of text."""
    options: dict[str, Any] = {"path": path.absolute(), "splits": {WHOLE: "all"}}
    if schema.images is not None:
        listed = schema.images.column if schema.images.column and format_of(path) in TABLES else None
        options |= {"images": listed, "label_separator": schema.images.separator} if listed else {}
        options |= {"color": schema.images.color, "size": list(schema.images.size) if schema.images.resize else None}
    elif schema.text is not None:
        options |= {"level": schema.text.level, "length": schema.text.length}
    elif schema.table is not None:
        options |= {"missing": schema.table.missing, "sample_weight": schema.weight}
        if schema.series is not None:
            options |= schema.series.model_dump(exclude={"targets"})
    elif schema.features and path.is_file() and (form := format_of(path)) in TABLES:
        options |= {"features": list(schema.features), "target": _target(path, form, schema.features)}
    return Files(**options)


def _target(path: Path, form: str, features: Sequence[str]) -> str:
    """The target column of a table, for a model trained on arrays: the one that is not an input. Raises UsageError."""
    names = column_names(path, guess(path, form, {}, features))
    rest = [name for name in names if name not in features]
    if len(rest) != 1:
        raise UsageError(
            f"{path}: beside the inputs of the model it has {', '.join(rest) or 'no column'}; expected one, the target"
        )
    return rest[0]


def _about(name: str, fingerprint: str, schema: Schema) -> dict[str, Any]:
    """Which data were measured, and whether they are those that the model comes from."""
    return {
        "name": name,
        "fingerprint": fingerprint,
        "trained_on": schema.fingerprint,
        "same": fingerprint == schema.fingerprint,
    }


def measured(
    network: Network, batches: Batches, reading: Reading, metrics: Sequence[Metric], progress: Any, what: str
) -> tuple[dict[str, Any], Evidence | None]:
    """Loss, metrics and confusion matrix; and the answers, unless they would take much memory."""
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
        numbers = evaluate(network, watched(), metrics, weight=lambda: batches.weight)
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
