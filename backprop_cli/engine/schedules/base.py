"""The base of every learning-rate schedule: a pure function of the step."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import Ge

from backprop_cli.registry import Component, register, slot


def schedule(name: str, *aliases: str) -> Any:
    """Class decorator: files a schedule under its names."""
    return register("schedule", name, *aliases)


@dataclass(kw_only=True)
class Schedule(Component):
    """η(step) = learning_rate · factor(step), steps counted from 0.

    `warmup` steps in front of any schedule rise linearly: factor = (step + 1) / warmup; the schedule
    proper starts after them and spans the steps that remain.
    """

    warmup: Annotated[int, Ge(0)] = 0

    total: int = slot()  # steps the schedule proper spans

    def bind(self, total_steps: int) -> None:
        """Tell the schedule how long the training is."""
        self.total = max(1, total_steps - self.warmup)

    def factor(self, step: int) -> float:
        """What the learning rate is multiplied by at this step."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        return self.at(step - self.warmup)

    def at(self, step: int) -> float:
        """The factor `step` steps after the warm-up."""
        raise NotImplementedError
