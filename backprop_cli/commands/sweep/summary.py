"""The results of a sweep: each setting's mean over seeds and folds, best first, and if it differs from the second."""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.folds import FOLD, SEED, TEST
from backprop_cli.commands.sweep.goals import PARAMETERS
from backprop_cli.commands.sweep.noted import goals, noted, rising
from backprop_cli.commands.sweep.outcomes import Outcome, ranked, states, watched
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.commands.sweep.welch import Mean, welch
from backprop_cli.commands.trained import config_of
from backprop_cli.engine.metrics.base import larger_is_better
from backprop_cli.errors import BpError, UsageError, expected
from backprop_cli.runs.directory import RunDirectory

REPEATED = (SEED, FOLD)  # keys whose values are repetitions of one setting
_NAME = re.compile(r"\w[\w-]{0,99}")  # of a trial's folder
NOISE = 0.05  # p-values from which a difference is called noise


@dataclass(frozen=True)
class Setting:
    """Trials that differ only in what is averaged over."""

    settings: dict[str, str]
    trials: int  # those with a value; the mean is of fewer values where the seeds of a fold are averaged first
    left_out: int  # those that failed, were stopped or have no finite value
    mean: Mean | None  # None where no trial has a value
    best: Outcome | None

    def row(self, first: Setting) -> dict[str, Any]:
        """What `bp runs summary --json` prints of it; `p` beside the `first`, which is best."""
        mean = self.mean or Mean(0, math.nan, None, None)
        p = welch(first.mean, self.mean) if self is not first and first.mean and self.mean else None
        of_mean = {"mean": mean.mean if mean.n else None, "std": mean.std, "error": mean.error, "p": p}
        n = {"n": self.trials, "left_out": self.left_out}
        return {"settings": self.settings, **n, **of_mean, "best_run": self.best.run_dir.name if self.best else None}


@dataclass(frozen=True)
class Summary:
    """The settings of a sweep, the best first, by a metric as `bp runs ls` names it."""

    metric: str
    settings: list[Setting]

    @property
    def rows(self) -> list[dict[str, Any]]:
        """A row for each setting, the best first: what `bp runs summary --json` prints."""
        return [{**setting.row(self.settings[0]), "metric": self.metric} for setting in self.settings]


def outcomes_of(folder: Path) -> list[Outcome]:
    """Every trial that the sweep has noted, as its run directory tells it; without names that lead elsewhere.

    Raises RunError for a sweep.json that cannot be read.
    """
    rows = [row for row in noted(folder) if _NAME.fullmatch(row["trial"])]
    return states(folder, [Trial(row["trial"], (), row.get("varied", {})) for row in rows])


def summarize(
    folder: Path,
    outcomes: Sequence[Outcome],
    group_by: Sequence[str] = (),
    metric: str | None = None,
    maximize: bool | None = None,
) -> Summary:
    """Average the completed trials over everything but the keys of `group_by`; by default over seeds and folds.

    `metric` is by default what the runs chose their best epoch by, of a sweep with folds on the rows of the fold. Where
    folds vary each is averaged over its seeds first. Raises UsageError for a key that was not varied, a metric that no
    trial has, and a sweep none of whose trials has completed.
    """
    keys = list(dict.fromkeys(key for outcome in outcomes for key in outcome.trial.varied))
    for key in group_by:
        if key not in keys:
            raise UsageError(f"--group-by {key}: the sweep did not vary it; {expected(key, keys)}")
    kept = list(group_by) or [key for key in keys if key not in REPEATED]
    column, values, rises = values_of(folder, outcomes, metric, maximize)
    by_id = {outcome.trial.id: value for value, outcome in values}
    groups: dict[tuple[tuple[str, str], ...], list[Outcome]] = {}
    for outcome in outcomes:
        varied = outcome.trial.varied
        groups.setdefault(tuple((key, varied[key]) for key in kept if key in varied), []).append(outcome)
    order = {outcome.trial.id: rank for rank, (_, outcome) in enumerate(values)}
    settings = [_setting(dict(key), group, by_id, order) for key, group in groups.items()]
    return Summary(column, sorted(settings, key=lambda setting: _rank(setting, rises)))


def _rank(setting: Setting, rises: bool) -> float:
    if setting.mean is None:
        return math.inf
    return -setting.mean.mean if rises else setting.mean.mean


def _setting(
    settings: dict[str, str], group: Sequence[Outcome], values: dict[str, float], order: dict[str, int]
) -> Setting:
    have = [outcome for outcome in group if outcome.trial.id in values]
    folds: dict[str | None, list[float]] = {}
    for outcome in have:
        folds.setdefault(outcome.trial.varied.get(FOLD), []).append(values[outcome.trial.id])
    of_folds = None not in folds and len(folds) > 1
    units: Iterable[float] = map(statistics.fmean, folds.values()) if of_folds else _flat(folds.values())
    mean = Mean.of(list(units), folds=of_folds) if have else None
    best = min(have, key=lambda outcome: order[outcome.trial.id], default=None)
    return Setting(settings, len(have), len(group) - len(have), mean, best)


def _flat(parts: Iterable[Sequence[float]]) -> list[float]:
    return [value for part in parts for value in part]


def values_of(
    folder: Path, outcomes: Sequence[Outcome], metric: str | None, maximize: bool | None
) -> tuple[str, list[tuple[float, Outcome]], bool]:
    """The column, the value there of each trial that has completed, the best first, and whether more is better.

    Raises UsageError where there are none.
    """
    done = [outcome for outcome in outcomes if outcome.status == "completed"]
    if not done:
        raise UsageError(f"no trial of {folder} has completed; `bp sweep … --resume` goes on with it")
    tested = {row["trial"]: row["test"] for row in noted(folder) if "test" in row}
    wanted = next((goal for goal in goals(folder) if goal["name"] != PARAMETERS), None)
    name = wanted["name"] if wanted else next((name for outcome in done if (name := watched(outcome))), None)
    if metric is None and name is not None and any(FOLD in outcome.trial.varied for outcome in done):
        on_fold = f"{TEST}/{name.partition('/')[2]}"
        metric = on_fold if any(on_fold.partition("/")[2] in row for row in tested.values()) else None
    metric = metric.removeprefix("best.") if metric else name
    if metric is not None and metric.startswith(f"{TEST}/"):
        key = metric.partition("/")[2]
        done = [_with(outcome, metric, tested.get(outcome.trial.id, {}).get(key)) for outcome in done]
    column, values = ranked(done, (), metric, False)
    if column is None or not values:
        name = column or metric or ""
        raise UsageError(f"--metric {name}: no completed trial has it; {expected(name, _measured(folder, done))}")
    if maximize is None and wanted is not None and metric == wanted["name"]:
        maximize = wanted["maximize"]
    rises = _rises(folder, column, done) if maximize is None else maximize
    return column, values[::-1] if rises else values, rises


def _rises(folder: Path, column: str, done: Sequence[Outcome]) -> bool:
    """Whether more of it is better, as the sweep has noted, else as the config of a trial says. Raises UsageError."""
    key, known = column.rpartition("/")[2], rising(folder)
    if known is not None or key == "loss":
        return key in (known or ())
    try:
        metrics = config_of(RunDirectory(done[0].run_dir)).trainer.metrics
    except BpError as error:
        raise UsageError(
            f"{error}; so it is not known whether {column} should rise: add --maximize or --minimize"
        ) from None
    return larger_is_better(column, metrics)


def _with(outcome: Outcome, name: str, value: float | None) -> Outcome:
    metrics = {**outcome.metrics, name: value}
    result = {**(outcome.result or {}), "metrics": metrics}
    return Outcome(outcome.trial, outcome.run_dir, outcome.status, result)


def _measured(folder: Path, done: Sequence[Outcome]) -> list[str]:
    tests = dict.fromkeys(f"{TEST}/{name}" for row in noted(folder) for name in row.get("test", {}))
    return list(dict.fromkeys(name for outcome in done for name in outcome.metrics if "/" in name)) + list(tests)


def verdict(summary: Summary) -> str:
    """In a sentence: the best setting with its uncertainty, and whether it is better than the second by more than
    noise."""
    have = [setting for setting in summary.settings if setting.mean]
    first, mean = have[0], have[0].mean
    assert mean is not None
    text = f"best: {told(first.settings)}  {summary.metric} {mean.mean:.4g}"
    if mean.error is not None:
        text += f" ± {mean.error:.2g} (standard error, n = {first.trials})"
    if len(have) < 2:
        return text
    second = have[1].mean
    assert second is not None
    if mean.mean == second.mean:
        return f"{text}; the second, {told(have[1].settings)}, has the same"
    p = welch(mean, second)
    gap = f"the second, {told(have[1].settings)}, is {abs(mean.mean - second.mean):.2g} behind"
    if p is None:
        return f"{text}; {gap}: one training each does not tell whether that is noise; vary the seed, too"
    size = "more than noise" if p < NOISE else "which may be noise"
    how = "p < 0.001" if p < 0.001 else f"p = {p:.2g}"
    return f"{text}; {gap}: {size} (Welch's t-test, {how})"


def told(settings: dict[str, str]) -> str:
    """Settings in a line, `optimizer.learning_rate=0.1 seed=0`; `all trials` where there are none."""
    return " ".join(f"{key}={value}" for key, value in settings.items()) or "all trials"
