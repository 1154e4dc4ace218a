from __future__ import annotations

import numpy as np

from backprop_cli.engine.initializers.base import Array, InitializerBase, initializer


@initializer("ones")
class Ones(InitializerBase):
    """w = 1"""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = 1
