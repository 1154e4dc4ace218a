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
    amsgrad: the largest v so far, v' ← max(v', v), stands for v in v̂.
    ε is added to √v̂, as in the paper and PyTorch (Keras adds it before the correction of v).
    Kingma & Ba 2015, arXiv:1412.6980; AMSGrad: Reddi et al. 2018, arXiv:1904.09237
    """

    beta_1: Annotated[float, Interval(ge=0, lt=1)] = 0.9
    beta_2: Annotated[float, Interval(ge=0, lt=1)] = 0.999
    epsilon: Annotated[float, Gt(0)] = 1e-8
    amsgrad: bool = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "v", "v_max") if self.amsgrad else ("m", "v")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v, *largest = memory
        a, b = work
        moments(m, v, g, self.beta_1, self.beta_2, a)
        if self.amsgrad:
            v = np.maximum(largest[0], v, out=largest[0])
        root = (1 - self.beta_2**t) ** 0.5
        np.sqrt(v, out=b)
        np.add(b, self.epsilon * root, out=b)
        np.divide(m, b, out=a)
        np.multiply(a, rate * root / (1 - self.beta_1**t), out=a)
        np.subtract(w, a, out=w)


def moments(m: Array, v: Array, g: Array, beta_1: float, beta_2: float, a: Array) -> None:
    """m ← β₁ m + (1 − β₁) g and v ← β₂ v + (1 − β₂) g², with a for temporary memory."""
    np.subtract(g, m, out=a)
    np.multiply(a, 1 - beta_1, out=a)
    np.add(m, a, out=m)
    np.multiply(g, g, out=a)
    np.multiply(a, 1 - beta_2, out=a)
    np.multiply(v, beta_2, out=v)
    np.add(v, a, out=v)
