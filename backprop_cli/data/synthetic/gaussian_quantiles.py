from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, AtLeastTwo, Sampled, numbered
from backprop_cli.registry import Doc, register


@register("synthetic", "gaussian_quantiles")
class GaussianQuantiles(Sampled):
    """One standard Gaussian cloud, cut into shells of equal size by the distance from its centre.

    x standard normal,   y = ⌊shells · rank / N⌋,   rank of ‖x‖² among the rows, from 0
    x (N, features)   y (N,) class ids, 0 innermost.  Hastie et al. 2009, Elements of Statistical Learning, 10.2
    """

    shells: Annotated[AtLeastTwo, Doc("classes, each a shell of equally many rows")] = 3
    features: Annotated[AtLeastOne, Doc("columns of x")] = 2

    @property
    def classes(self) -> list[str]:
        return numbered(self.shells)

    def numbers(self) -> int:
        return self.samples * (self.features + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.standard_normal((self.samples, self.features))
        rank = np.argsort(np.argsort(np.square(x).sum(1)))
        return x, rank * self.shells // self.samples
