from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Elementwise, Term, loss, pairs


@loss("mean_absolute_error", "mae", "absolute_error", "l1", "l1_loss")
class MeanAbsoluteError(Elementwise):
    """Mean of absolute differences, over examples and outputs.

    L = 1/(N K) Σ |y − t|          dy = sign(y − t) / (N K)          y, t (N, K)
    The derivative at y = t is taken as 0.
    """

    listed_under = "Used most"

    examples = [{"output": (2,), "target": "values"}, {"output": (3, 1), "target": "values"}]

    def terms(self, y: Array, target: Array) -> list[Term]:
        k = y.size
        return [Term(f"|{{y{i}}} − {{t{i}}}| / {k}", float(abs(a - b)) / k) for i, a, b in pairs(y, target)]

    def chance(self, target: Array) -> float:
        """The mean distance from the median."""
        rows = target.reshape(len(target), -1)
        return float(np.abs(rows - np.median(rows, axis=0)).mean())

    def values(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.abs(out, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.sign(out, out=out)
