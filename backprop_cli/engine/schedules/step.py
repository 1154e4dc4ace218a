from __future__ import annotations

from typing import Annotated

from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc


@schedule("step", "step_lr")
class Step(Schedule):
    """scale = γ^⌊s / every⌋

    PyTorch's StepLR, whose step_size is `every`.
    """

    every: Annotated[PositiveInt, Doc("units between two reductions")]
    gamma: Annotated[NonNegative, Doc("factor on the rate, each time")] = 0.1

    implied = {"StepLR": {"unit": "epoch"}}  # PyTorch's counts epochs

    def at(self, s: int) -> float:
        return float(self.gamma ** (s // self.every))
