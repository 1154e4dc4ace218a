from __future__ import annotations

from math import cos, pi
from typing import Annotated

from annotated_types import Interval

from backprop_cli.engine.schedules.base import Schedule, schedule


@schedule("cosine")
class Cosine(Schedule):
    """Half a cosine from 1 down to `final` at the end of the training.

    factor = final + (1 − final) (1 + cos(π s / S)) / 2          s steps of S
    Loshchilov & Hutter 2017, arXiv:1608.03983
    """

    final: Annotated[float, Interval(ge=0, le=1)] = 0.0

    def at(self, step: int) -> float:
        return self.final + (1 - self.final) * (1 + cos(pi * min(step, self.total) / self.total)) / 2
