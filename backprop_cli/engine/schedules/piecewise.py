from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise
from typing import Annotated

from backprop_cli.engine.layer import NonNegative, PositiveInt
from backprop_cli.engine.schedules.base import Schedule, schedule
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@schedule("piecewise", "piecewise_constant", "piecewise_constant_decay")
class Piecewise(Schedule):
    """scale = values[i],   i the number of boundaries ≤ s

    Each value holds from its boundary on. They multiply learning_rate; Keras's PiecewiseConstantDecay takes
    rates instead (give those with learning_rate 1), and each holds for its boundary's step too.
    Raises BuildError unless boundaries rise and there is one value more than boundaries.
    """

    boundaries: Annotated[list[PositiveInt], Doc("units at which the next value begins, rising")]
    values: Annotated[list[NonNegative], Doc("factors on the learning rate, one more than boundaries")]

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.values) != len(self.boundaries) + 1:
            raise BuildError(
                f"piecewise has {len(self.boundaries)} boundaries and {len(self.values)} values; "
                "expected one value more than boundaries: the first holds before the first boundary"
            )
        if any(after <= before for before, after in pairwise(self.boundaries)):
            raise BuildError(f"the boundaries of piecewise must rise, got {self.boundaries}")

    def at(self, s: int) -> float:
        return float(self.values[bisect_right(self.boundaries, s)])
