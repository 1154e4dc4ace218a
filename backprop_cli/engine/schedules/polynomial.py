from __future__ import annotations

from typing import Annotated

from annotated_types import Gt

from backprop_cli.engine.schedules.base import Final, Schedule, Steps, schedule
from backprop_cli.registry import Doc


@schedule("polynomial", "polynomial_lr", "polynomial_decay", "linear")
class Polynomial(Schedule):
    """A power of what remains: a straight line for power 1.

    scale = final + (1 − final) (1 − s / S)^power,   `final` from S on;   S = `steps`, or all that remain
    PyTorch's PolynomialLR and Keras's PolynomialDecay (whose end rate is absolute; `final` is relative).
    """

    power: Annotated[float, Gt(0), Doc("exponent; 1 is a straight line")] = 1.0
    final: Final = 0.0
    steps: Steps = None

    def at(self, s: int) -> float:
        end = self.steps or self.total
        return float(self.final + (1 - self.final) * (1 - min(s, end) / end) ** self.power)
