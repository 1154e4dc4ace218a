"""The results of trials, from their run directories, and their ranking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.noted import Noted, noted
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs.directory import RunDirectory

FINISHED = ("completed", "pruned", "failed", "diverged")


@dataclass
class Outcome:
    """The outcome of a trial: its status and, if it ran, what `bp train --json` prints."""

    trial: Trial
    run_dir: Path
    status: str
    result: dict[str, Any] | None = None
    error: str | None = None

    @property
    def best(self) -> dict[str, Any]:
        """{"epoch", "step", monitored name: value} of the best epoch."""
        return (self.result or {}).get("best") or {}

    @property
    def metrics(self) -> dict[str, Any]:
        """The last row of metrics."""
        return (self.result or {}).get("metrics") or {}


def states(
    folder: Path, planned: Sequence[Trial], there: Sequence[RunDirectory] = (), rows: Sequence[Noted] | None = None
) -> list[Outcome]:
    """Each trial as its run directory tells it; `missing` if it was never started.

    A trial that failed before it had a directory is known from sweep.json, of which `rows` are what it holds. Those
    that are `there` were read already. Raises RunError for a sweep.json that cannot be read.
    """
    rows = noted(folder) if rows is None else rows
    failed = {row["trial"]: row.get("error") for row in rows if row.get("status") == "failed"}
    known = {run.path.name: run for run in there}
    return [state_of(folder / trial.id, trial, failed, known.get(trial.id)) for trial in planned]


def state_of(path: Path, trial: Trial, failed: dict[str, str | None], run: RunDirectory | None = None) -> Outcome:
    """A trial as its run directory tells it, `failed` if that cannot be read. Where there is none, `failed` for a trial
    in `failed` (trial id -> error), else `missing`."""
    try:
        run = run or RunDirectory(path)
    except UsageError:
        return Outcome(trial, path, "failed" if trial.id in failed else "missing", None, failed.get(trial.id))
    except RunError as error:
        return Outcome(trial, path, "failed", None, str(error))
    result = {"metrics": run.info.get("metrics"), "best": run.info.get("best"), "run_dir": str(path)}
    return Outcome(trial, path, run.status, result, run.info.get("reason"))


def ranked(
    outcomes: Sequence[Outcome], metrics: Sequence[Metric], monitor: str | None = None, maximize: bool | None = None
) -> tuple[str | None, list[tuple[float, Outcome]]]:
    """The column that tells which trial is best, and the trials with a finite value there, the best first; without
    those that were pruned.

    It is named as in `bp runs ls`: `best.validation/loss`, the value at the best epoch, of what the runs themselves
    chose that epoch by; of anything else to `monitor`, the last value, as `validation/loss`. The `metrics` that the
    trials compute say whether it should rise, unless `maximize` does.
    """
    own = [name for outcome in outcomes if (name := watched(outcome))]
    name = monitor or next(iter(own), None)
    if name is None:
        return None, []
    at_best = bool(own) and set(own) == {name}
    values = []
    for outcome in outcomes:
        if outcome.status == "pruned":
            continue
        value = (outcome.best if at_best else outcome.metrics).get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            values.append((float(value), outcome))
    rises = larger_is_better(name, metrics) if maximize is None else maximize
    return f"best.{name}" if at_best else name, sorted(values, key=lambda pair: -pair[0] if rises else pair[0])


def watched(outcome: Outcome) -> str | None:
    """The name of the number that a run chose its best epoch by."""
    return next((key for key in outcome.best if "/" in key), None)
