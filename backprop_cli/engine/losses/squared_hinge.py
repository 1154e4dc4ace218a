from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import loss
from backprop_cli.engine.losses.hinge import Margin


@loss("squared_hinge", "squared_hinge_loss")
class SquaredHinge(Margin):
    """Squared distance from the right side of the margin.

    L = 1/(N K) Σ max(0, 1 − t y)²          dy = −2 t max(0, 1 − t y) / (N K)          y (N, K)
    Targets as for hinge: ±1, 0 and 1, or class ids.
    """

    examples = [
        {"output": (3,), "target": "signs"},
        {"output": (1,), "target": "binary"},
        {"output": (2, 3), "target": "classes"},
    ]

    def values(self, y: Array, t: Array, out: Array) -> None:
        self.margin(y, t, out)
        np.multiply(out, out, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        self.margin(y, t, out)
        np.multiply(out, t, out=out)
        np.multiply(out, -2, out=out)
