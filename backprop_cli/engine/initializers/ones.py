from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer


@initializer("ones")
class Ones(InitializerBase):
    """w = 1"""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = 1
