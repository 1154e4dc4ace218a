"""The space and goals of a search, and checks of what a search supports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backprop_cli.commands.sweep.axes import Axis
from backprop_cli.commands.sweep.goals import Goal
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.errors import UsageError


@dataclass(frozen=True)
class Space:
    """What is searched, and for what."""

    axes: Sequence[Axis]
    fixed: Sequence[str]
    goals: Sequence[Goal]
    search: str  # grid, random, qmc, tpe, cma-es
    seed: int
    prune: str  # hyperband, median, none
    epochs: int  # of the longest trial
    planned: Sequence[Trial] = ()  # of a grid, random or qmc search

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same when the search goes on."""
        goals = [f"{'maximize' if goal.maximize else 'minimize'} {goal.name}" for goal in self.goals]
        axes = [str(axis) for axis in self.axes]
        return {"search": self.search, "seed": self.seed, "prune": self.prune, "axes": axes, "goals": goals}


def check(space: Space) -> None:
    """Raise UsageError for what Optuna or CMA-ES cannot do."""
    if space.prune != "none" and len(space.goals) > 1:
        raise UsageError(f"--prune {space.prune} needs one goal; expected --prune none with several in --monitor")
    if space.search != "cma-es":
        return
    if len(space.goals) > 1:
        raise UsageError("--search cma-es needs one goal; of several expected --search tpe")
    if len(space.axes) < 2:
        raise UsageError("--search cma-es needs two axes or more; expected --search tpe for one")
    for axis in space.axes:
        if not axis.numeric:
            raise UsageError(f"--set {axis}: cma-es draws numbers between bounds only; expected --search tpe for lists")
        if axis.condition:
            raise UsageError(f"--set {axis}: cma-es needs the same axes in every trial; expected --search tpe")
