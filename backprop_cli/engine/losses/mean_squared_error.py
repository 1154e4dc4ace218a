from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Elementwise, Term, loss, pairs


@loss("mean_squared_error", "mse", "mse_loss", "squared_error", "l2", "l2_loss")
class MeanSquaredError(Elementwise):
    """Mean of squared differences, over examples and outputs.

    L = 1/(N K) Σ (y − t)²          dy = 2 (y − t) / (N K)          y, t (N, K)
    With K = 2 outputs and one example this is the ½ Σ (t − y)² of the textbooks.
    """

    listed_under = "Used most"

    examples = [{"output": (2,), "target": "values"}, {"output": (3, 1), "target": "values"}]

    def terms(self, y: Array, target: Array) -> list[Term]:
        k = y.size
        return [Term(f"({{y{i}}} − {{t{i}}})² / {k}", float((a - b) ** 2) / k) for i, a, b in pairs(y, target)]

    def chance(self, target: Array) -> float:
        """The variance of the targets."""
        return float(target.reshape(len(target), -1).var(axis=0).mean())

    def values(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.multiply(out, out, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.multiply(out, 2, out=out)
