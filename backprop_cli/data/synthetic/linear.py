from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, Noise, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "linear")
class Linear(Sampled):
    """An affine map to recover: y = x W + b + noise, all of x, W and b standard normal.

    x (N, features)   W (features, targets)   y (N, targets)
    """

    features: Annotated[AtLeastOne, Doc("columns of x")] = 10
    targets: Annotated[AtLeastOne, Doc("columns of y")] = 1
    noise: Annotated[Noise, Doc("standard deviation of the Gaussian noise added to y")] = 0.1

    def numbers(self) -> int:
        return self.samples * (self.features + self.targets) + self.features * self.targets

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        W = rng.standard_normal((self.features, self.targets))
        b = rng.standard_normal(self.targets)
        x = rng.standard_normal((self.samples, self.features))
        return x, x @ W + b + self.noise * rng.standard_normal((self.samples, self.targets))
