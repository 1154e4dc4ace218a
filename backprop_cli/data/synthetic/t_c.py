from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Synthetic
from backprop_cli.registry import Doc, register

T = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0]])
C = np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]])


@register("synthetic", "t_c")
class TC(Synthetic):
    """A T or a C of five squares, in each of four orientations, at every place of a grid; the letters are the classes.

    No count of single squares or of pairs at some distance tells them apart.
    x (8 (size − 2)², size, size, 1) of 0 and 1   y (8 (size − 2)²,) class ids
    Rumelhart, Hinton & Williams 1986, PDP 1, ch. 8
    """

    size: Annotated[Annotated[int, Ge(3)], Doc("rows and columns of the grid")] = 6

    @property
    def classes(self) -> list[str]:
        return ["T", "C"]

    def numbers(self) -> int:
        return 8 * (self.size - 2) ** 2 * (self.size**2 + 1)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        free = self.size - 2
        x, y = np.zeros((2, 4, free, free, self.size, self.size, 1)), np.zeros((2, 4, free, free), np.int64)
        for letter, pattern in enumerate((T, C)):
            for turn in range(4):
                for top, left in np.ndindex(free, free):
                    x[letter, turn, top, left, top : top + 3, left : left + 3, 0] = np.rot90(pattern, turn)
        y[1] = 1
        order = rng.permutation(y.size)
        return x.reshape(y.size, self.size, self.size, 1)[order], y.reshape(-1)[order]
