from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Array, Optimizer, optimizer


@optimizer("sgd")
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's form of it.

    v ← μ v + g        w ← w − η v            (nesterov: w ← w − η (g + μ v))
    η enters outside v, as in PyTorch. Polyak 1964, doi:10.1016/0041-5553(64)90137-5; Sutskever et al. 2013
    """

    learning_rate: NonNegative = 0.01
    momentum: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    nesterov: bool = False

    slots = ("velocity",)

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        direction = g
        if self.momentum:
            (v,) = memory
            np.multiply(v, self.momentum, out=v)
            np.add(v, g, out=v)
            direction = v
            if self.nesterov:
                np.multiply(v, self.momentum, out=work[0])
                direction = np.add(g, work[0], out=work[0])
        np.multiply(direction, rate, out=work[1])
        np.subtract(w, work[1], out=w)
