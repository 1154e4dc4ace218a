"""What the folds of a sweep say together: mean and deviation of each metric, and a prediction for every row."""

from __future__ import annotations

import csv
import io
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.commands.sweep.axes import parse
from backprop_cli.commands.sweep.noted import note
from backprop_cli.commands.sweep.outcomes import Outcome
from backprop_cli.commands.trained import load_run
from backprop_cli.config import load_config
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.build import Prepared
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.files import write_atomically
from backprop_cli.training.passes import evaluate, outputs
from backprop_cli.training.threads import limited

FOLD, SEED = "dataset.fold", "seed"
OUT_OF_FOLD = "out-of-fold.csv"
TEST = "test"  # the split that a fold is


Array = npt.NDArray[Any]


def same_folds(config: Path, settings: Sequence[str]) -> list[str]:
    """The seed of the deal, as a --set value, where seeds vary and nothing says it: each seed is to have the same
    folds."""
    axes, fixed = parse(settings)
    if all(axis.key != SEED for axis in axes):
        return []
    cfg = load_config(config, fixed)
    given = (getattr(cfg.dataset, name, None) for name in ("split_seed", "data_seed"))
    return [] if any(seed is not None for seed in given) else [f"dataset.split_seed={cfg.seed}"]


def check(config: Path, settings: Sequence[str]) -> None:
    """Raise UsageError for a config whose data have no folds: those of a source that comes with its own splits."""
    source = load_config(config, parse(settings)[1]).dataset
    if not hasattr(source, "folds"):
        raise UsageError(
            f"--folds deals out the rows of your own files (source files), and {config} takes {source.type_name}; save "
            "the rows as a file, or vary what is drawn with --set dataset.data_seed=0..4"
        )


@dataclass(frozen=True)
class Measured:
    """A trained fold: what was varied, and the metrics of its best weights on the rows it has not learnt from."""

    varied: dict[str, str]
    metrics: dict[str, float]


def measure(folder: Path, outcomes: Sequence[Outcome]) -> list[Measured]:
    """Measure every completed trial on its own fold, note it in sweep.json, and write the predictions of all in one
    file, `out-of-fold.csv`: the row's number in its file from 0, fold, other settings, target, and what `bp predict`
    writes. Raises DataError, CheckpointError."""
    done = [outcome for outcome in outcomes if outcome.status == "completed"]
    text, measured = io.StringIO(), []
    writer = csv.writer(text, lineterminator="\n")
    settings = [key for key in (done[0].trial.varied if done else ()) if key != FOLD]
    heads: list[str] | None = None
    for outcome in done:
        prepared, _ = load_run(RunDirectory(outcome.run_dir))
        batches = prepared.batches(TEST)
        with limited(prepared.network, batches.batch_size):
            metrics = prepared.config.trainer.metrics
            numbers = evaluate(prepared.network, batches.epoch(0), metrics, weight=partial(getattr, batches, "weight"))
        measured.append(Measured(outcome.trial.varied, numbers))
        own, lines = _lines(prepared, np.concatenate([y for y, _ in outputs(prepared.network, batches)]))
        if heads is None:
            heads = own
            writer.writerow(["row", "fold", *settings, *heads])
        elif heads != own:
            raise DataError(f"{outcome.run_dir} predicts {', '.join(own)}, the fold before {', '.join(heads)}")
        before = [outcome.trial.varied[FOLD], *(outcome.trial.varied[key] for key in settings)]
        rows = prepared.dataset.splits[TEST].rows
        for i, line in enumerate(lines):
            writer.writerow([i if rows is None else int(rows[i]), *before, *line])
    if heads is not None:
        note(
            folder,
            [{"trial": outcome.trial.id, "test": own.metrics} for outcome, own in zip(done, measured, strict=True)],
        )
        write_atomically(folder / OUT_OF_FOLD, [text.getvalue().encode()])
    return measured


def _lines(prepared: Prepared, outputs: Array) -> tuple[list[str], Iterator[list[Any]]]:
    """Headings and lines: the target, and the answer with its numbers."""
    reading, split = prepared.reading, prepared.dataset.splits[TEST]
    columns, flat = reading.columns(outputs.shape[1:]), outputs.reshape(len(outputs), -1)
    digits = "%.7g" if outputs.dtype == np.float32 else "%.10g"
    written = ([digits % value for value in row] for row in flat.tolist())
    truth = np.asarray(split.y).reshape(len(split), -1)
    if reading.has_classes and truth.shape[1] == 1:
        names = np.asarray(reading.class_names(outputs.shape[-1]), object)
        right = ([names[int(row[0])]] for row in truth)
    else:
        right = (row.tolist() for row in truth)
    asked = reading.output_names(truth.shape[1])
    targets = ["target"] if truth.shape[1] == 1 else [f"target({name})" for name in asked]
    if reading.kind == "values":
        return [*targets, *columns], ([*t, *w] for t, w in zip(right, written, strict=True))
    answers = (["+".join(answer) if isinstance(answer, list) else answer] for answer in reading.answers(outputs))
    return [*targets, "prediction", *columns], ([*t, *a, *w] for t, a, w in zip(right, answers, written, strict=True))


def summary(measured: Sequence[Measured]) -> list[dict[str, Any]]:
    """For each setting, whatever its folds and seeds: how many trainings, and of each metric the mean and the standard
    deviation (n − 1) between folds, each fold averaged over its seeds; `std_seeds` between seeds, each averaged over
    its folds; null of a single one."""
    groups: dict[tuple[tuple[str, str], ...], list[Measured]] = {}
    for fold in measured:
        key = tuple((name, value) for name, value in fold.varied.items() if name not in (FOLD, SEED))
        groups.setdefault(key, []).append(fold)
    return [
        {
            "settings": dict(key),
            "n": len(group),
            "metrics": {name: _spread(group, name) for name in group[0].metrics},
        }
        for key, group in groups.items()
    ]


def _spread(group: Sequence[Measured], name: str) -> dict[str, float | None]:
    values = [fold.metrics[name] for fold in group]
    between = {"std": _between(group, name, FOLD)}
    if SEED in group[0].varied:
        between["std_seeds"] = _between(group, name, SEED)
    return {"mean": statistics.fmean(values), **between}


def _between(group: Sequence[Measured], name: str, axis: str) -> float | None:
    """The standard deviation of the means of those that have the same value on an axis."""
    parts: dict[str, list[float]] = {}
    for fold in group:
        parts.setdefault(fold.varied[axis], []).append(fold.metrics[name])
    means = [statistics.fmean(part) for part in parts.values()]
    return statistics.stdev(means) if len(means) > 1 else None
