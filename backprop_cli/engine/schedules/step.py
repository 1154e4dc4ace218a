from __future__ import annotations

from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("step", "step_lr")
class Step(Schedule):
    """scale = γ^⌊s / every⌋

    PyTorch's StepLR, whose step_size is `every`.
    """

    every: PositiveInt
    gamma: NonNegative = 0.1

    def at(self, s: int) -> float:
        return float(self.gamma ** (s // self.every))
