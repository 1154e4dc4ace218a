from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.registry import Doc


@initializer("constant")
class Constant(InitializerBase):
    """w = value"""

    value: Annotated[float, Doc("of every entry")] = 0.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = self.value
