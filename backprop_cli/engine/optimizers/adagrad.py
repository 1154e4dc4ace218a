from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.base import Epsilon, Optimizer, optimizer
from backprop_cli.registry import Doc


@optimizer("adagrad")
class Adagrad(Optimizer):
    """Divide by the root of all squared gradients so far.

    s ← s + g²        w ← w − η g / (√s + ε)        s starts at initial_accumulator
    ε is added outside the root, as in PyTorch (Keras: inside, and s starts at 0.1). Duchi, Hazan & Singer 2011, JMLR 12
    """

    learning_rate: NonNegative = 0.01
    initial_accumulator: Annotated[
        NonNegative, Doc("first value of the sum of squares; larger ones soften the first steps")
    ] = 0.0
    epsilon: Epsilon = 1e-10

    @property
    def slots(self) -> tuple[str, ...]:
        return ("square",)

    def bind(self, *arguments: Any, **options: Any) -> None:
        super().bind(*arguments, **options)
        self.memory["square"][...] = self.initial_accumulator

    def update(self, w: Array, g: Array, memory: list[Array], rate: float, t: int, work: list[Array]) -> None:
        (s,) = memory
        a, b = work
        np.multiply(g, g, out=a)
        np.add(s, a, out=s)
        np.sqrt(s, out=b)
        np.add(b, self.epsilon, out=b)
        np.divide(g, b, out=a)
        np.multiply(a, rate, out=a)
        np.subtract(w, a, out=w)
