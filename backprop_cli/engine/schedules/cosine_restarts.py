from __future__ import annotations

from math import cos, pi
from typing import Annotated

from annotated_types import Ge, Interval

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc


@schedule("cosine_restarts", "cosine_annealing_warm_restarts", "cosine_decay_restarts")
class CosineRestarts(Schedule):
    """Half a cosine from 1 to `final`, again and again.

    scale = final + (peak − final) (1 + cos(π s_i / T_i)) / 2,   s_i steps into period i of T_i
    T_0 = period,   T_{i+1} = growth · T_i,   peak = decayⁱ (but at least `final`)
    PyTorch's CosineAnnealingWarmRestarts (T_0, T_mult); Keras's CosineDecayRestarts (first_decay_steps, t_mul, m_mul).
    Loshchilov & Hutter 2017, arXiv:1608.03983
    """

    period: Annotated[PositiveInt, Doc("units of the first period")]
    growth: Annotated[float, Ge(1), Doc("factor from one period's length to the next")] = 1.0
    decay: Annotated[float, Interval(gt=0, le=1), Doc("factor from one period's peak to the next")] = 1.0
    final: Annotated[float, Interval(ge=0, le=1), Doc("factor on the learning rate at the end of a period")] = 0.0

    def at(self, s: int) -> float:
        if self.growth == 1:
            periods, into, length = s // self.period, float(s % self.period), float(self.period)
        else:
            periods, into, length = 0, float(s), float(self.period)
            while into >= length:
                periods, into, length = periods + 1, into - length, length * self.growth
        peak = max(self.decay**periods, self.final)
        return self.final + (peak - self.final) * (1 + cos(pi * into / length)) / 2
