from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.optimizers.base import Beta1, Beta2, Epsilon, Optimizer, optimizer


@optimizer("radam")
class RAdam(Optimizer):
    """Adam that holds back while the variance of its adaptive rate is unknown.

    m, v and m̂ as in Adam;  ρ∞ = 2 / (1 − β₂) − 1,   ρ_t = ρ∞ − 2 t β₂ᵗ / (1 − β₂ᵗ)
    ρ_t > 5:   w ← w − η r m̂ √(1 − β₂ᵗ) / (√v + ε),   r² = (ρ_t − 4)(ρ_t − 2) ρ∞ / ((ρ∞ − 4)(ρ∞ − 2) ρ_t)
    else:      w ← w − η m̂
    ε is added to √v before its correction, as in PyTorch. Liu et al. 2020, arXiv:1908.03265
    """

    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "v")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v = memory
        a, b = work
        remaining = 1 - self.beta_2**t
        limit = 2 / (1 - self.beta_2) - 1
        length = limit - 2 * t * self.beta_2**t / remaining
        known = bool(length > 5)  # asked before anything is written, so that a step can be recorded
        self.kernels.moments_update(g, m, v, self.beta_1, self.beta_2, a)
        rate *= (1 - self.beta_1) / (1 - self.beta_1**t)  # memory holds m / (1 − β₁) and v / (1 − β₂)
        if known:
            r = (length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length)
            np.sqrt(v, out=b)
            np.add(b, self.epsilon / (1 - self.beta_2) ** 0.5, out=b)
            np.divide(m, b, out=a)
            np.multiply(a, rate * (r * remaining / (1 - self.beta_2)) ** 0.5, out=a)
        else:
            np.multiply(m, rate, out=a)
        np.subtract(w, a, out=w)
