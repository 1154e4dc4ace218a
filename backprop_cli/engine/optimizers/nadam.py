from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Beta1, Beta2, Epsilon, Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("nadam")
class NAdam(Optimizer):
    """Adam with Nesterov's momentum, which rises from β₁/2 towards β₁.

    m ← β₁ m + (1 − β₁) g    v ← β₂ v + (1 − β₂) g²    μ_t = β₁ (1 − ½ · 0.96^(t ψ)),   ψ = momentum_decay
    w ← w − η [ (1 − μ_t) / (1 − Π_{i≤t} μ_i) · g + μ_{t+1} / (1 − Π_{i≤t+1} μ_i) · m ] / (√v̂ + ε),   v̂ = v / (1 − β₂ᵗ)
    ε is added to √v̂, as in PyTorch. Dozat 2016, ICLR workshop
    """

    learning_rate: NonNegative = 2e-3
    beta_1: Beta1 = 0.9
    beta_2: Beta2 = 0.999
    epsilon: Epsilon = 1e-8
    momentum_decay: Annotated[NonNegative, Doc("ψ: how fast the momentum rises to β₁")] = 4e-3

    def __post_init__(self) -> None:
        super().__post_init__()
        self._factors, self._product = 0, 1.0

    @property
    def slots(self) -> tuple[str, ...]:
        return ("m", "v")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        m, v = memory
        a, b = work
        self.kernels.moments_update(g, m, v, self.beta_1, self.beta_2, a)
        root = ((1 - self.beta_2**t) / (1 - self.beta_2)) ** 0.5  # memory holds m / (1 − β₁) and v / (1 − β₂)
        np.sqrt(v, out=b)
        np.add(b, self.epsilon * root, out=b)
        mu, mu_next, product = self.momentum(t), self.momentum(t + 1), self.momentum_product(t)
        np.multiply(g, rate * root * (1 - mu) / (1 - product), out=a)
        np.divide(a, b, out=a)
        np.subtract(w, a, out=w)
        np.multiply(m, rate * root * (1 - self.beta_1) * mu_next / (1 - product * mu_next), out=a)
        np.divide(a, b, out=a)
        np.subtract(w, a, out=w)

    def momentum(self, t: int) -> float:
        """μ_t"""
        return float(self.beta_1 * (1 - 0.5 * 0.96 ** (t * self.momentum_decay)))

    def momentum_product(self, t: int) -> float:
        """Π μ_i for i ≤ t, from where the last call stopped; after a resume from the first factor."""
        if t < self._factors:
            self._factors, self._product = 0, 1.0
        while self._factors < t:
            self._factors += 1
            self._product *= self.momentum(self._factors)
        return self._product
