from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Interval

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.registry import Doc


@schedule("cyclic", "cyclic_lr", "triangular")
class Cyclic(Schedule):
    """Up and down in straight lines, again and again; learning_rate is the highest.

    scale = low + (1 − low) h · shrink,   h rising from 0 to 1 in `rise` units and falling back in `fall`
    shrink = 1 (triangular), 1 / 2^cycle (triangular2), gamma^s (exp_range); cycles count from 0
    PyTorch's CyclicLR (step_size_up, step_size_down; base_lr = low · learning_rate), momentum stays as it is.
    Smith 2017, arXiv:1506.01186
    """

    low: Annotated[float, Interval(ge=0, le=1), Doc("factor on the learning rate at the bottom of a cycle")] = 0.1
    rise: Annotated[PositiveInt, Doc("units in which the rate rises; two to ten epochs are usual")]
    fall: Annotated[PositiveInt | None, Doc("units in which it falls again; by default as many")] = None
    mode: Annotated[
        Literal["triangular", "triangular2", "exp_range"],
        Doc("peaks that stay, halve from cycle to cycle, or shrink with every unit"),
    ] = "triangular"
    gamma: Annotated[float, Interval(gt=0, le=1), Doc("of exp_range: factor from one unit to the next")] = 1.0

    def at(self, s: int) -> float:
        length = self.rise + (self.fall or self.rise)
        cycle, into = divmod(s, length)
        height = into / self.rise if into <= self.rise else (length - into) / (length - self.rise)
        shrink = {"triangular": 1.0, "triangular2": 0.5**cycle, "exp_range": self.gamma**s}[self.mode]
        return self.low + (1 - self.low) * height * shrink
