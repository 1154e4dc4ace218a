from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, Synthetic
from backprop_cli.registry import Doc, register


@register("synthetic", "dichotomies")
class Dichotomies(Synthetic):
    """Points from a normal distribution, whose two classes a coin draws: planes part only so many.

    x (points, features) normal   y (points, times) 0 or 1, each column a partition of its own
    Cover 1965, doi:10.1109/PGEC.1965.264137
    """

    points: Annotated[AtLeastOne, Doc("points, the rows of x")] = 40
    features: Annotated[AtLeastOne, Doc("columns of x")] = 20
    times: Annotated[AtLeastOne, Doc("random partitions, each an output")] = 100

    def numbers(self) -> int:
        return self.points * (self.features + self.times)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((self.points, self.features))
        return x, rng.integers(2, size=(self.points, self.times)).astype(np.float64)
