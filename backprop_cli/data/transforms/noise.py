from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array
from backprop_cli.data.transform import Transform, as_float, transform
from backprop_cli.registry import Doc


@transform("noise", "gaussian_noise")
class Noise(Transform):
    """x ↦ x + ε, ε normal with mean 0 and standard deviation `std`.

    x (N, …) ↦ (N, …) floats   y as it is
    """

    augments: ClassVar[bool] = True

    std: Annotated[float, Ge(0), Doc("standard deviation, in the units of x")] = 0.1

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        drawn = rng.standard_normal(x.shape, dtype=out.dtype.type)
        np.multiply(drawn, self.std, out=drawn)
        np.add(as_float(x, out), drawn, out=out)
        return y
