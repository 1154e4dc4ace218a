"""The goals of a sweep, smaller or larger, and the trials that no other trial beats."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.errors import BpError, UsageError, expected
from backprop_cli.runs.directory import RunDirectory

if TYPE_CHECKING:
    from backprop_cli.commands.sweep.outcomes import Outcome

PARAMETERS = "parameters"  # of the network; the only goal that is not a metric


@dataclass(frozen=True)
class Goal:
    """A number of a finished trial; more of it is better, or less."""

    name: str
    maximize: bool

    def value(self, outcome: Outcome) -> float | None:
        """At the best epoch where that was chosen by it, else at the last; None where it is not finite."""
        value = outcome.best.get(self.name, outcome.metrics.get(self.name))
        if self.name == PARAMETERS:
            try:
                value = RunDirectory(outcome.run_dir).info.get("parameters")
            except BpError:
                value = None
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def goals_of(
    monitor: str | None, maximize: bool | None, metrics: Sequence[Metric], columns: Iterable[str], watched: str
) -> list[Goal]:
    """The goals of `--monitor A,B`, by default what the runs are `watched` by. Raises UsageError for a name that no
    trial computes."""
    known = {*columns, PARAMETERS}
    names = monitor.split(",") if monitor else [watched]
    for name in names:
        if name not in known:
            raise UsageError(f"--monitor {name}: no trial computes it; {expected(name, known)}")
    if maximize is not None and len(names) > 1:
        raise UsageError(
            "--maximize and --minimize are for one goal; with several goals each metric knows which direction is better"
        )
    return [Goal(name, larger_is_better(name, metrics) if maximize is None else maximize) for name in names]


def front(goals: Sequence[Goal], outcomes: Sequence[Outcome]) -> list[Outcome]:
    """The completed trials that no other one equals or beats in every goal and beats in one: Pareto's front."""
    points: list[tuple[tuple[float, ...], Outcome]] = []
    for outcome in outcomes:
        values = [goal.value(outcome) for goal in goals]
        if outcome.status == "completed" and all(value is not None for value in values):
            signed = (-v if goal.maximize else v for goal, v in zip(goals, values, strict=True) if v is not None)
            points.append((tuple(signed), outcome))
    kept: list[tuple[tuple[float, ...], Outcome]] = []
    for point, outcome in sorted(points, key=lambda pair: pair[0]):  # one that beats another comes before it
        if not any(all(a <= b for a, b in zip(other, point, strict=True)) and other != point for other, _ in kept):
            kept.append((point, outcome))
    return [outcome for _, outcome in kept]
