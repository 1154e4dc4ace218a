from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@initializer("uniform", "random_uniform")
class Uniform(InitializerBase):
    """w ~ U(low, high)

    Raises BuildError where low is above high.
    """

    low: Annotated[float, Doc("lower end of the interval")] = -0.05
    high: Annotated[float, Doc("upper end of the interval")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        if self.low > self.high:
            raise BuildError(f"uniform: low is {self.low:g}, above high, which is {self.high:g}; exchange them")
        out[...] = rng.uniform(self.low, self.high, out.shape)
