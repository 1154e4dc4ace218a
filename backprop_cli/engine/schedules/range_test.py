from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Interval

from backprop_cli.engine.schedules.base import Schedule, Steps, schedule
from backprop_cli.registry import Doc


@schedule("range_test", "lr_range_test")
class RangeTest(Schedule):
    """From a tiny learning rate up to `learning_rate`, to see which of them a network learns with.

    exponential: scale = low^(1 − s / (S − 1)),   linear: scale = low + (1 − low) s / (S − 1),   S steps in all
    `bp plot RUN --kind rate` draws the loss against the rate: take one from where it falls fastest, well before it
    rises. Smith 2017, arXiv:1506.01186, 3.3
    """

    low: Annotated[float, Interval(gt=0, lt=1), Doc("factor on the learning rate at the first step")] = 1e-5
    curve: Annotated[
        Literal["exponential", "linear"], Doc("by the same factor, or by the same amount, from step to step")
    ] = "exponential"
    steps: Steps = None

    def at(self, s: int) -> float:
        last = max((self.steps or self.total) - 1, 1)
        part = min(s / last, 1.0)
        return float(self.low ** (1 - part)) if self.curve == "exponential" else self.low + (1 - self.low) * part
