from __future__ import annotations

from math import cos, log2, pi
from typing import Annotated

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.schedules.base import Schedule, Steps, schedule
from backprop_cli.registry import Doc


@schedule("cosine_log", "coslog", "coslog4")
class CosineLog(Schedule):
    """Whole cosines from 0 to 1 and back, each twice as long as the one before.

    scale = (1 − cos(2π log₂(1 + (2ᶜ − 1) (s + 1) / (T + 1)))) / 2          C cycles over T steps
    RealMLP's coslog4: Holzmüller, Grinsztajn & Steinwart 2024, arXiv:2407.04491
    """

    cycles: Annotated[PositiveInt, Doc("cosines over the whole of it")] = 4
    steps: Steps = None

    def at(self, s: int) -> float:
        share = min(1.0, (s + 1) / ((self.steps or self.total) + 1))
        return (1 - cos(2 * pi * log2(1 + (2**self.cycles - 1) * share))) / 2
