from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Sampled, labels
from backprop_cli.registry import Doc, register


@register("synthetic", "temporal_order")
class TemporalOrder(Sampled):
    """In which order two symbols, each A or B, came in a long sequence of four others.

    x (N, length, 6): one-hot A, B, c, d, e, f   y (N,) class ids AA, AB, BA, BB
    The first lies in the second tenth of the sequence, the other one in the sixth.
    Hochreiter & Schmidhuber 1997, 5.6; in this form Pascanu et al. 2013, arXiv:1211.5063, 4.1
    """

    length: Annotated[Annotated[int, Ge(10)], Doc("steps of a sequence")] = 50

    @property
    def classes(self) -> list[str]:
        return ["AA", "AB", "BA", "BB"]

    def numbers(self) -> int:
        return self.samples * (6 * self.length + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y, rows, tenth = labels(self.samples, 4, rng), np.arange(self.samples), self.length // 10
        symbols = rng.integers(2, 6, size=(self.samples, self.length))
        symbols[rows, rng.integers(tenth, 2 * tenth, size=self.samples)] = y // 2
        symbols[rows, rng.integers(5 * tenth, 6 * tenth, size=self.samples)] = y % 2
        return np.eye(6)[symbols], y
