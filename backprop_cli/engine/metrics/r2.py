from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.metrics.per_output import MOMENTS, explained, merge, rows_of


@metric("r2", "r2_score", "r_squared")
class R2(Metric):
    """Coefficient of determination, the mean over the K outputs.

    R² = 1 − Σ (t − y)² / Σ (t − t̄)²          y, t (N, K)
    Of an output whose targets are all equal it is undefined, and as in scikit-learn 1 if it meets them exactly, else 0.
    """

    maximize = True
    size = 0
    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        if self.totals.size != (MOMENTS + 1) * rows.shape[1]:
            self.totals = np.zeros((MOMENTS + 1) * rows.shape[1])
        block = self.totals.reshape(MOMENTS + 1, -1)
        block[MOMENTS] += np.einsum("nk,nk->k", rows - truth, rows - truth)
        merge(block[:MOMENTS], truth)

    def result(self) -> float:
        n, _, _, squares, errors = self.totals.reshape(MOMENTS + 1, -1)
        return explained(errors, squares) if n.any() else float("nan")
