from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, Sampled
from backprop_cli.registry import Doc, register


@register("synthetic", "parity")
class Parity(Sampled):
    """Whether the number of ones in a sequence of random bits is odd: every single bit counts.

    y = Σₜ xₜ mod 2
    x (N, length, 1) bits 0 or 1   y (N,) class ids
    """

    length: Annotated[AtLeastOne, Doc("bits of a sequence")] = 8

    @property
    def classes(self) -> list[str]:
        return ["even", "odd"]

    def numbers(self) -> int:
        return self.samples * (self.length + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x = rng.integers(2, size=(self.samples, self.length, 1))
        return x.astype(np.float64), x.sum((1, 2)) % 2
