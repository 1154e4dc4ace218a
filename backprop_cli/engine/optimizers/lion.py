from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("lion")
class Lion(Optimizer):
    """The sign of an interpolated momentum: every weight moves by η.

    w ← w − η sign(β₁ m + (1 − β₁) g)        m ← β₂ m + (1 − β₂) g
    Weight decay is decoupled, w ← w (1 − η λ). There is no ε. Chen et al. 2023, arXiv:2302.06675
    """

    learning_rate: NonNegative = 1e-4
    decoupled_weight_decay: bool = True
    beta_1: Annotated[float, Interval(ge=0, lt=1), Doc("weight of the momentum in the sign that is stepped along")] = (
        0.9
    )
    beta_2: Annotated[float, Interval(ge=0, lt=1), Doc("share of the momentum kept at each update")] = 0.99

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m",)

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        (m,) = memory
        a, b = work
        np.subtract(g, m, out=a)
        np.multiply(a, 1 - self.beta_1, out=b)
        np.add(b, m, out=b)
        np.sign(b, out=b)
        np.multiply(b, rate, out=b)
        np.subtract(w, b, out=w)
        np.multiply(a, 1 - self.beta_2, out=a)
        np.add(m, a, out=m)
