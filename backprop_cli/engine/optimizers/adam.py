from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.optimizers.base import Beta1, Beta2, Epsilon, Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("adam")
class Adam(Optimizer):
    """Adaptive moments.

    m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²
    w ← w − η m̂ / (√v̂ + ε),   m̂ = m / (1 − β₁ᵗ),   v̂ = v / (1 − β₂ᵗ)
    amsgrad: the largest v so far, v' ← max(v', v), stands for v in v̂.
    ε is added to √v̂, as in the paper and PyTorch (Keras adds it before the correction of v).
    Kingma & Ba 2015, arXiv:1412.6980; AMSGrad: Reddi et al. 2018, arXiv:1904.09237
    """

    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8
    amsgrad: Annotated[bool, Doc("divide by the largest second moment so far, so that steps never grow again")] = False

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "v", "v_max") if self.amsgrad else ("m", "v")

    @property
    def one_loop(self) -> bool:
        return not self.amsgrad

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v, *largest = memory
        a, b = work
        # memory holds m / (1 − β₁) and v / (1 − β₂), see the kernel
        root = ((1 - self.beta_2**t) / (1 - self.beta_2)) ** 0.5
        rate, epsilon = rate * root * (1 - self.beta_1) / (1 - self.beta_1**t), self.epsilon * root
        if not self.amsgrad:
            self.kernels.adam_update(w, g, m, v, rate, self.beta_1, self.beta_2, epsilon, a, b)
            return
        self.kernels.moments_update(g, m, v, self.beta_1, self.beta_2, a)
        np.maximum(largest[0], v, out=largest[0])
        np.sqrt(largest[0], out=b)
        np.add(b, epsilon, out=b)
        np.divide(m, b, out=a)
        np.multiply(a, rate, out=a)
        np.subtract(w, a, out=w)
