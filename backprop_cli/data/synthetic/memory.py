from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastTwo, Noise, Sampled, labels, numbered
from backprop_cli.registry import Doc, register


@register("synthetic", "memory")
class Memory(Sampled):
    """Name at the end what was shown at the first step; all later steps are Gaussian noise.

    x₀ = the one-hot row of y,   xₜ = noise · ε after it,   ε standard normal
    x (N, length, symbols)   y (N,) class ids
    Bengio, Simard & Frasconi 1994, doi:10.1109/72.279181 (the latch problem)
    """

    length: Annotated[AtLeastTwo, Doc("steps of a sequence; the answer is shown at the first")] = 20
    symbols: Annotated[AtLeastTwo, Doc("different symbols, which are the classes")] = 4
    noise: Annotated[Noise, Doc("standard deviation of the noise at all later steps")] = 0.2

    @property
    def classes(self) -> list[str]:
        return numbered(self.symbols)

    def numbers(self) -> int:
        return self.samples * (self.length * self.symbols + 1) + self.symbols**2

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = labels(self.samples, self.symbols, rng)
        x = self.noise * rng.standard_normal((self.samples, self.length, self.symbols))
        x[:, 0] = np.eye(self.symbols)[y]
        return x, y
