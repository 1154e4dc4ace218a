from __future__ import annotations

import numpy as np

from backprop_cli.data.dataset import Array
from backprop_cli.data.synthetic import AtLeastTwo, Noise, Sampled, labels, numbered
from backprop_cli.registry import register


@register("synthetic", "memory")
class Memory(Sampled):
    """Name at the end what was shown at the first step; all later steps are Gaussian noise.

    x (N, length, symbols): one-hot, then noise   y (N,) class ids
    Bengio, Simard & Frasconi 1994, doi:10.1109/72.279181 (the latch problem)
    """

    length: AtLeastTwo = 20
    symbols: AtLeastTwo = 4
    noise: Noise = 0.2

    @property
    def classes(self) -> list[str]:
        return numbered(self.symbols)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = labels(self.samples, self.symbols, rng)
        x = self.noise * rng.standard_normal((self.samples, self.length, self.symbols))
        x[:, 0] = np.eye(self.symbols)[y]
        return x, y
