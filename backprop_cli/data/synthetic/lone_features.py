from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastTwo, Synthetic
from backprop_cli.registry import Doc, register


@register("synthetic", "lone_features")
class LoneFeatures(Synthetic):
    """Rows that adaptive methods fit and do not generalize from: most features occur in one row alone.

    Feature 1 is the class, 2 and 3 are always 1; of the others a positive row has one of its own, a negative row five.
    x (rows, 3 + 5 rows)   y (rows, 1) +1 (three of five) or −1.  Wilson et al. 2017, arXiv:1705.08292, section 3.3
    """

    rows: Annotated[AtLeastTwo, Doc("rows of all splits together")] = 100

    def numbers(self) -> int:
        return self.rows * (4 + 5 * self.rows)

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = rng.permutation(np.where(np.arange(self.rows) % 5 < 3, 1.0, -1.0))
        x = np.zeros((self.rows, 3 + 5 * self.rows))
        x[:, 0], x[:, 1:3] = y, 1
        for row, label in enumerate(y):
            x[row, 3 + 5 * row : 3 + 5 * row + (1 if label > 0 else 5)] = 1
        return x, y[:, None]
