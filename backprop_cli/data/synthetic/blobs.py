from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, AtLeastTwo, Noise, Sampled, labels, numbered
from backprop_cli.registry import Doc, register


@register("synthetic", "blobs")
class Blobs(Sampled):
    """One Gaussian cloud a class, around centres drawn uniformly from [−10, 10]^features.

    x = c(y) + std · ε,   ε standard normal,   c(y) the centre of class y
    x (N, features)   y (N,) class ids
    """

    centers: Annotated[AtLeastTwo, Doc("clouds, which are the classes")] = 3
    features: Annotated[AtLeastOne, Doc("columns of x")] = 2
    std: Annotated[Noise, Doc("standard deviation of every cloud; the centres lie in ±10")] = 1.0

    @property
    def classes(self) -> list[str]:
        return numbered(self.centers)

    def numbers(self) -> int:
        return (self.samples + self.centers) * (self.features + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        centers = rng.uniform(-10, 10, (self.centers, self.features))
        y = labels(self.samples, self.centers, rng)
        return centers[y] + self.std * rng.standard_normal((self.samples, self.features)), y
