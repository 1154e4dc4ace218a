from __future__ import annotations

from bisect import bisect_right

from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("multi_step", "multi_step_lr")
class MultiStep(Schedule):
    """scale = γ^(number of milestones ≤ s)

    PyTorch's MultiStepLR. The order of the milestones does not matter.
    """

    milestones: list[PositiveInt]
    gamma: NonNegative = 0.1

    def at(self, s: int) -> float:
        return float(self.gamma ** bisect_right(sorted(self.milestones), s))
