from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Noise, Sampled, labels
from backprop_cli.registry import Doc, register


@register("synthetic", "circles")
class Circles(Sampled):
    """A circle of radius 1 (class 0) around one of radius `factor` (class 1), with Gaussian noise.

    x = r (cos θ, sin θ) + noise · ε,   r = 1 or factor,   θ uniform in [0, 2π],   ε standard normal
    x (N, 2)   y (N,) class ids
    """

    noise: Noise = 0.05
    factor: Annotated[float, Interval(gt=0, lt=1), Doc("radius of the inner circle; the outer one has radius 1")] = 0.5

    @property
    def classes(self) -> list[str]:
        return ["outer", "inner"]

    def numbers(self) -> int:
        return self.samples * 3

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = labels(self.samples, 2, rng)
        angle = rng.uniform(0, 2 * np.pi, self.samples)
        radius = np.where(y == 0, 1.0, self.factor)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
        return x + self.noise * rng.standard_normal(x.shape), y
