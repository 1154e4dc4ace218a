from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Noise, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "sine")
class Sine(Sampled):
    """A sine wave to fit: y = sin(2π · periods · x / 2) + noise, x uniform in [−1, 1].

    x (N, 1)   y (N, 1)
    """

    periods: Annotated[float, Gt(0), Doc("periods of the wave between −1 and 1")] = 1.0
    noise: Annotated[Noise, Doc("standard deviation of the Gaussian noise added to y")] = 0.05

    def numbers(self) -> int:
        return self.samples * 2

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.uniform(-1, 1, (self.samples, 1))
        return x, np.sin(np.pi * self.periods * x) + self.noise * rng.standard_normal(x.shape)
