from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.optimizers.base import Epsilon, Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("rmsprop")
class RMSprop(Optimizer):
    """Divide by a running root mean square of the gradient.

    s ← ρ s + (1 − ρ) g²        d = g / (√s + ε)        w ← w − η d
    centered: the running mean  ḡ ← ρ ḡ + (1 − ρ) g  is taken off, √(s − ḡ²) for √s.
    momentum: u ← μ u + d,  w ← w − η u.
    ε is added outside the root, as in PyTorch (Keras: inside). Tieleman & Hinton 2012, Coursera lecture 6.5;
    centered: Graves 2013, arXiv:1308.0850
    """

    rho: Annotated[float, Interval(ge=0, lt=1), Doc("share of the mean square kept at each update")] = 0.99
    momentum: Annotated[float, Interval(ge=0, lt=1), Doc("μ: share of the last step added to this one")] = 0.0
    centered: Annotated[
        bool, Doc("divide by the standard deviation of the gradient rather than its root mean square")
    ] = False
    epsilon: Epsilon = 1e-8

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square", *["mean"] * self.centered, *["velocity"] * (self.momentum > 0))

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        a, b = work
        s, *rest = memory
        if not rest:
            self.kernels.rmsprop_update(w, g, s, rate, self.rho, self.epsilon, a, b)
            return
        np.multiply(g, g, out=a)
        np.multiply(a, 1 - self.rho, out=a)
        np.multiply(s, self.rho, out=s)
        np.add(s, a, out=s)
        if self.centered:
            mean = rest[0]
            np.subtract(g, mean, out=a)
            np.multiply(a, 1 - self.rho, out=a)
            np.add(mean, a, out=mean)
            np.multiply(mean, mean, out=a)
            np.subtract(s, a, out=b)
            np.maximum(b, 0, out=b)  # s ≥ ḡ² up to rounding
            np.sqrt(b, out=b)
        else:
            np.sqrt(s, out=b)
        np.add(b, self.epsilon, out=b)
        np.divide(g, b, out=a)
        if self.momentum:
            u = rest[-1]
            np.multiply(u, self.momentum, out=u)
            a = np.add(u, a, out=u)
        np.multiply(a, rate, out=b)
        np.subtract(w, b, out=w)
