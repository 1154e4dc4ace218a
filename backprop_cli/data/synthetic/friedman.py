from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Noise, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "friedman")
class Friedman(Sampled):
    """Friedman's first benchmark: five features matter, the others are there to mislead.

    y = 10 sin(π x₁ x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + noise,   x uniform in [0, 1]
    x (N, features)   y (N, 1).  Friedman 1991, doi:10.1214/aos/1176347963
    """

    features: Annotated[int, Ge(5), Doc("columns of x, of which the first five matter")] = 10
    noise: Annotated[Noise, Doc("standard deviation of the Gaussian noise added to y, which spans about 0 … 30")] = 1.0

    def numbers(self) -> int:
        return self.samples * (self.features + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.uniform(0, 1, (self.samples, self.features))
        y = 10 * np.sin(np.pi * x[:, 0] * x[:, 1]) + 20 * (x[:, 2] - 0.5) ** 2 + 10 * x[:, 3] + 5 * x[:, 4]
        return x, (y + self.noise * rng.standard_normal(self.samples))[:, None]
