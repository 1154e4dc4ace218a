from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval

from backprop_cli.engine.optimizers.base import Array, Optimizer, optimizer


@optimizer("rmsprop")
class RMSprop(Optimizer):
    """Divide by a running root mean square of the gradient.

    s ← ρ s + (1 − ρ) g²        w ← w − η g / (√s + ε)
    ε is added outside the root, as in PyTorch. Tieleman & Hinton 2012, Coursera lecture 6.5
    """

    rho: Annotated[float, Interval(ge=0, lt=1)] = 0.99
    epsilon: Annotated[float, Gt(0)] = 1e-8

    slots = ("square",)

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        (s,) = memory
        a, b = work
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - self.rho, out=a)
        np.multiply(s, self.rho, out=s)
        np.add(s, a, out=s)
        np.sqrt(s, out=b)
        np.add(b, self.epsilon, out=b)
        np.divide(g, b, out=a)
        np.multiply(a, rate, out=a)
        np.subtract(w, a, out=w)
