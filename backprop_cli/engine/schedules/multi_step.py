from __future__ import annotations

from bisect import bisect_right
from typing import Annotated

from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc


@schedule("multi_step", "multi_step_lr")
class MultiStep(Schedule):
    """scale = γ^(number of milestones ≤ s)

    PyTorch's MultiStepLR. The order of the milestones does not matter.
    """

    milestones: Annotated[list[PositiveInt], Doc("units at which the rate is multiplied")]
    gamma: Annotated[NonNegative, Doc("factor at each milestone")] = 0.1

    implied = {"MultiStepLR": {"unit": "epoch"}}  # PyTorch's counts epochs

    def at(self, s: int) -> float:
        return float(self.gamma ** bisect_right(sorted(self.milestones), s))
