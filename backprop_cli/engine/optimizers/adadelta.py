from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt, Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("adadelta")
class Adadelta(Optimizer):
    """Steps in the units of the weights: a ratio of two running root mean squares.

    s ← ρ s + (1 − ρ) g²        d = g √(u + ε) / √(s + ε)        u ← ρ u + (1 − ρ) d²        w ← w − η d
    ε is added inside both roots, as in the paper, PyTorch and Keras. Zeiler 2012, arXiv:1212.5701
    """

    learning_rate: NonNegative = 1.0
    rho: Annotated[float, Interval(ge=0, lt=1), Doc("share of both running means kept at each update")] = 0.9
    epsilon: Annotated[float, Gt(0), Doc("inside both roots; sets the size of the first steps")] = 1e-6

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square", "delta")

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        s, u = memory
        a, d = work
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - self.rho, out=a)
        np.multiply(s, self.rho, out=s)
        np.add(s, a, out=s)
        np.add(s, self.epsilon, out=a)
        np.add(u, self.epsilon, out=d)
        np.divide(d, a, out=d)
        np.sqrt(d, out=d)
        np.multiply(d, g, out=d)
        np.multiply(d, d, out=a)
        np.multiply(a, 1 - self.rho, out=a)
        np.multiply(u, self.rho, out=u)
        np.add(u, a, out=u)
        np.multiply(d, rate, out=d)
        np.subtract(w, d, out=w)
