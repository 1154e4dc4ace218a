from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Noise, Sampled, labels, numbered
from backprop_cli.registry import Doc, register


@register("synthetic", "moons")
class Moons(Sampled):
    """Two half circles that reach into each other, with Gaussian noise.

    x = (cos θ, sin θ) of class 0, (1 − cos θ, ½ − sin θ) of class 1, θ uniform in [0, π]
    x (N, 2)   y (N,) class ids
    """

    noise: Annotated[
        Noise, Doc("standard deviation of the Gaussian noise added to x; the moons touch at about 0.3")
    ] = 0.1

    @property
    def classes(self) -> list[str]:
        return numbered(2)

    def numbers(self) -> int:
        return self.samples * 3

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = labels(self.samples, 2, rng)
        angle = rng.uniform(0, np.pi, self.samples)
        side = 1 - 2 * y
        x = np.stack([y + side * np.cos(angle), y / 2 + side * np.sin(angle)], 1)
        return x + self.noise * rng.standard_normal(x.shape), y
