from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.registry import Doc


@initializer("normal", "random_normal")
class Normal(InitializerBase):
    """w ~ N(mean, std²)"""

    mean: Annotated[float, Doc("of the distribution")] = 0.0
    std: Annotated[float, Ge(0), Doc("standard deviation of the distribution")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        out[...] = rng.normal(self.mean, self.std, out.shape)
