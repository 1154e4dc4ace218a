"""XOR and AND: two bits in, one bit out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, Noise, Synthetic, numbered
from backprop_cli.registry import Doc, register


@dataclass(kw_only=True)
class TruthTable(Synthetic):
    """The four rows 00, 01, 10, 11 in that order; x (4, 2), y (4,) the class 0 or 1.

    With `samples`, that many drawn from the four, with Gaussian `noise`.
    """

    outputs: ClassVar[tuple[int, int, int, int]]

    samples: Annotated[AtLeastOne | None, Doc("rows drawn at random; by default the four rows in order")] = None
    noise: Noise = 0.0

    @property
    def classes(self) -> list[str]:
        return numbered(2)

    def numbers(self) -> int:
        return 3 * (self.samples or 4)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        corners = np.arange(4) if self.samples is None else rng.integers(4, size=self.samples)
        x = np.stack([corners // 2, corners % 2], 1).astype(np.float64)
        return x + self.noise * rng.standard_normal(x.shape), np.array(self.outputs)[corners]


@register("synthetic", "xor")
class Xor(TruthTable):
    """Whether two bits differ: no line separates the classes, a hidden layer does.

    y = (x₁ + x₂) mod 2 of x without noise
    x (4, 2)   y (4,) class ids; with `samples`, that many rows
    Minsky & Papert 1969, Perceptrons.
    """

    outputs: ClassVar[tuple[int, int, int, int]] = (0, 1, 1, 0)


@register("synthetic", "and", "and_gate")
class And(TruthTable):
    """Whether two bits are both 1: one unit can learn it.

    y = x₁ x₂ of x without noise
    x (4, 2)   y (4,) class ids; with `samples`, that many rows
    """

    outputs: ClassVar[tuple[int, int, int, int]] = (0, 0, 0, 1)
