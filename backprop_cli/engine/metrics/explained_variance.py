from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.metrics.per_output import MOMENTS, explained, merge, rows_of


@metric("explained_variance", "explained_variance_score")
class ExplainedVariance(Metric):
    """R² that forgives a constant error: the share of the targets' variance that is not left, mean over the outputs.

    1 − Var(t − y) / Var(t)          y, t (N, K)
    Of an output whose targets are all equal 1 if nothing is left of them, else 0, as in scikit-learn.
    """

    maximize = True
    size = 0
    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        if self.totals.size != 2 * MOMENTS * rows.shape[1]:
            self.totals = np.zeros(2 * MOMENTS * rows.shape[1])
        block = self.totals.reshape(2 * MOMENTS, -1)
        merge(block[:MOMENTS], truth)
        merge(block[MOMENTS:], truth - rows)

    def result(self) -> float:
        block = self.totals.reshape(2 * MOMENTS, -1)
        return explained(block[-1], block[MOMENTS - 1]) if block.any() else float("nan")
