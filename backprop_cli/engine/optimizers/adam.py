from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval

from backprop_cli.engine.optimizers.base import Array, Optimizer, optimizer


@optimizer("adam")
class Adam(Optimizer):
    """Adaptive moments.

    m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²
    w ← w − η m̂ / (√v̂ + ε),   m̂ = m / (1 − β₁ᵗ),   v̂ = v / (1 − β₂ᵗ)
    ε is added to √v̂, as in the paper and PyTorch. Kingma & Ba 2015, arXiv:1412.6980
    """

    beta_1: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    beta_2: Annotated[float, Interval(ge=0, lt=1)] = 0.999
    epsilon: Annotated[float, Gt(0)] = 1e-8

    slots = ("m", "v")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v = memory
        a, b = work
        np.subtract(g, m, out=a)
        np.multiply(a, 1 - self.beta_1, out=a)
        np.add(m, a, out=m)
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - self.beta_2, out=a)
        np.multiply(v, self.beta_2, out=v)
        np.add(v, a, out=v)
        np.sqrt(v, out=b)
        np.multiply(b, 1 / (1 - self.beta_2**t) ** 0.5, out=b)
        np.add(b, self.epsilon, out=b)
        np.divide(m, b, out=a)
        np.multiply(a, rate / (1 - self.beta_1**t), out=a)
        np.subtract(w, a, out=w)
