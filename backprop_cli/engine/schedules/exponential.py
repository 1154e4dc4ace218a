from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc


@schedule("exponential", "exponential_lr", "exponential_decay")
class Exponential(Schedule):
    """scale = γ^(s / every)        staircase: γ^⌊s / every⌋

    PyTorch's ExponentialLR; Keras's ExponentialDecay, whose decay_rate is `gamma` and decay_steps `every`.
    """

    gamma: Annotated[float, Gt(0), Doc("factor on the rate after `every` units")]
    every: Annotated[PositiveInt, Doc("units for one factor")] = 1
    staircase: Annotated[bool, Doc("change the rate only every `every` units rather than at each")] = False

    implied = {"ExponentialLR": {"unit": "epoch"}}  # PyTorch's counts epochs

    def at(self, s: int) -> float:
        return float(self.gamma ** (s // self.every if self.staircase else s / self.every))
