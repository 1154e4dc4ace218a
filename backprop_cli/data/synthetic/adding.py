from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastTwo, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "adding")
class Adding(Sampled):
    """Add the two numbers that are marked, one in each half of a sequence of random ones.

    x (N, length, 2): a number uniform in [0, 1], a mark 0 or 1   y (N, 1): their sum Σₜ x[t, 0] x[t, 1]
    Always answering 1 gives a mean squared error of 1/6.  Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735
    """

    length: Annotated[AtLeastTwo, Doc("steps of a sequence")] = 50

    def numbers(self) -> int:
        return self.samples * (2 * self.length + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = np.zeros((self.samples, self.length, 2))
        x[:, :, 0] = rng.uniform(0, 1, (self.samples, self.length))
        half, rows = self.length // 2, np.arange(self.samples)
        x[rows, rng.integers(half, size=self.samples), 1] = 1
        x[rows, rng.integers(half, self.length, size=self.samples), 1] = 1
        return x, (x[:, :, 0] * x[:, :, 1]).sum(1, keepdims=True)
