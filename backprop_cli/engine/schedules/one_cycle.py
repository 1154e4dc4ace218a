from __future__ import annotations

from math import cos, pi
from typing import Annotated, Literal

from annotated_types import Ge, Interval

from backprop_cli.engine.schedules.base import Schedule, Steps, schedule
from backprop_cli.registry import Doc


@schedule("one_cycle", "one_cycle_lr")
class OneCycle(Schedule):
    """One rise and one long fall; learning_rate is the highest.

    from 1 / div_factor up to 1 over the first `rise` of the steps, then down to
    1 / (div_factor · final_div_factor) at the last, along half cosines or straight lines
    PyTorch's OneCycleLR (pct_start is `rise`); momentum stays as it is. Smith & Topin 2019, arXiv:1708.07120
    """

    rise: Annotated[float, Interval(ge=0, le=1), Doc("share of the steps in which the rate rises")] = 0.3
    div_factor: Annotated[float, Ge(1), Doc("the first rate is the highest divided by this")] = 25.0
    final_div_factor: Annotated[float, Ge(1), Doc("the last rate is the first divided by this")] = 1e4
    anneal: Annotated[Literal["cos", "linear"], Doc("half cosines or straight lines")] = "cos"
    steps: Steps = None

    def at(self, s: int) -> float:
        last = (self.steps or self.total) - 1
        top = self.rise * (last + 1) - 1
        low, end = 1 / self.div_factor, 1 / (self.div_factor * self.final_div_factor)
        if s < top:
            return self._between(low, 1.0, s / top)
        return self._between(1.0, end, (s - top) / (last - top) if s < last else 1.0)

    def _between(self, start: float, end: float, part: float) -> float:
        if self.anneal == "linear":
            return start + (end - start) * part
        return end + (start - end) * (1 + cos(pi * part)) / 2
