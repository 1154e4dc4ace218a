from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Beta1, Epsilon, Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("adamax")
class Adamax(Optimizer):
    """Adam with the infinity norm for the second moment.

    m ← β₁ m + (1 − β₁) g    u ← max(β₂ u, |g| + ε)    w ← w − η m / ((1 − β₁ᵗ) u)
    ε is added to |g|, as in PyTorch (Keras adds it to u; the paper has none).
    Kingma & Ba 2015, arXiv:1412.6980, section 7.1
    """

    learning_rate: NonNegative = 2e-3
    beta_1: Beta1 = 0.9
    beta_2: Annotated[float, Interval(ge=0, lt=1), Doc("share of the largest gradient so far kept at each update")] = (
        0.999
    )
    epsilon: Epsilon = 1e-8

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "u")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, u = memory
        a, _ = work
        np.subtract(g, m, out=a)
        np.multiply(a, 1 - self.beta_1, out=a)
        np.add(m, a, out=m)
        np.abs(g, out=a)
        np.add(a, self.epsilon, out=a)
        np.multiply(u, self.beta_2, out=u)
        np.maximum(u, a, out=u)
        np.divide(m, u, out=a)
        np.multiply(a, rate / (1 - self.beta_1**t), out=a)
        np.subtract(w, a, out=w)
