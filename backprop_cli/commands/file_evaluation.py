"""A trained model, or the average of several, measured on a file with targets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands.evaluation import Say, about_data, measured, trusted
from backprop_cli.commands.evidence import RESAMPLES
from backprop_cli.commands.trained import config_of, run_around
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.files import Files
from backprop_cli.data.files.columns import column_names
from backprop_cli.data.files.guess import guess
from backprop_cli.data.files.options import TABLES
from backprop_cli.data.files.paths import format_of
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.loading import load_dataset
from backprop_cli.data.schema import Schema
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BpError, UsageError
from backprop_cli.model.ensemble import Ensemble, same_reading
from backprop_cli.model.model import Model
from backprop_cli.training.passes import evaluate
from backprop_cli.training.threads import limited

WHOLE = "data"  # what the rows of --data FILE are called


def evaluate_file(
    model: Model | Ensemble,
    path: Path,
    *,
    by: Sequence[str] = (),
    resamples: int = RESAMPLES,
    warn: Say | None = None,
    progress: Any = None,
) -> dict[str, Any]:
    """Loss and metrics on all rows of a file, or a folder of images or sounds, which has the targets too; what
    `bp eval --data FILE --json` prints.

    Of an ensemble the outputs are averaged before anything is measured; `members` has the metrics of each network
    alone. Raises DataError; UsageError where the loss is a plugin's that was not given.
    """
    models = list(model.models) if isinstance(model, Ensemble) else [model]
    first = models[0]
    if first.loss is None:
        needed = ", ".join(plugin.file for plugin in first.description.plugins if "loss" in plugin.used_by)
        raise UsageError(f"{first.path}: its loss needs the plugin {needed}; give the file with --plugin FILE")
    schema, reading = first.description.data, first.description.reading
    dataset = load_dataset(_source(path, schema), 0, Path("/"), warn=warn, progress=progress, known=schema)
    (split,) = dataset.splits.values()
    batches = first.batches(split)
    digest = fingerprint(dataset)
    members = [(member, member.batches(_as_read(path, member, schema, split))) for member in models]
    averaged = _averaging(reading, members[1:]) if len(members) > 1 else None
    numbers, evidence = measured(first.network, batches, reading, first.metrics, progress, WHOLE, averaged)
    result = {
        "run_id": model.run_id,
        "split": WHOLE,
        "checkpoint": str(first.path),
        "samples": batches.samples,
        "data": about_data(str(path), digest, schema) | {"same": _trained_on(first, path)},
        **numbers,
        **trusted(evidence, split, schema, by, resamples),
    }
    if isinstance(model, Ensemble):
        result["checkpoint"] = [str(member.path) for member in models]
        result["members"] = [
            {"run_id": name, "metrics": _alone(member, rows)}
            for name, (member, rows) in zip(model.members, members, strict=True)
        ]
    return result


def _as_read(path: Path, model: Model, schema: Schema, split: Split) -> Split:
    """The rows of a file as a model reads them; `split` has them as a model of this schema does."""
    own = model.description.data
    if same_reading(own, schema):
        return split
    (rows,) = load_dataset(_source(path, own), 0, Path("/"), known=own).splits.values()
    return rows


def _averaging(reading: Reading, others: Sequence[tuple[Model, Batches]]) -> Callable[[Array], Array]:
    """What turns the outputs of one network for a batch into the average with those of the others for the same rows."""
    networks = [(member.network, batches.epoch(0)) for member, batches in others]
    return lambda z: reading.average([z, *(network.forward(next(batches)[0]) for network, batches in networks)])


def _alone(model: Model, batches: Batches) -> dict[str, float]:
    """Loss and metrics of one of several networks."""
    with limited(model.network, batches.batch_size):
        return evaluate(model.network, batches.epoch(0), model.metrics, weight=lambda: batches.weight)


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
    """A file as the data of the model were: its target, its pictures or sounds, its windows of text."""
    options: dict[str, Any] = {"path": path.absolute(), "splits": {WHOLE: "all"}}
    if schema.media is not None:  # how a file is decoded is known, whatever the options
        kind = "images" if schema.images is not None else "sounds"
        options["corrupt"] = schema.media.corrupt
        if schema.media.column and not path.is_dir() and format_of(path) in TABLES:
            options |= {kind: schema.media.column, "label_separator": schema.media.separator}
        elif path.is_dir():
            options["format"] = kind if not any(path.rglob("*.parquet")) else None
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
