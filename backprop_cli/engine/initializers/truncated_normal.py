from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.registry import Doc


@initializer("truncated_normal", "trunc_normal")
class TruncatedNormal(InitializerBase):
    """w ~ N(mean, std²), redrawn beyond mean ± 2 std

    `std` is that of the normal before the cut; the values' own is 0.8796 std, as with Keras's TruncatedNormal.
    """

    mean: Annotated[float, Doc("of the distribution")] = 0.0
    std: Annotated[float, Ge(0), Doc("standard deviation of the normal before the cut at 2 std")] = 0.05

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        drawn = rng.standard_normal(out.shape)
        while (beyond := np.abs(drawn) > 2).any():
            drawn[beyond] = rng.standard_normal(int(beyond.sum()))
        out[...] = self.mean + self.std * drawn
