from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.metrics.per_output import rows_of


@metric("rmse", "root_mean_squared_error")
class RMSE(Metric):
    """Root of the mean of (y − t)², in the unit of the target: of each output, then the mean over the outputs."""

    size = 0
    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        if self.totals.size != rows.shape[1] + 1:
            self.totals = np.zeros(rows.shape[1] + 1)
        self.totals[:-1] += np.square(rows - truth).sum(axis=0)
        self.totals[-1] += len(rows)

    def result(self) -> float:
        seen = self.totals.size and self.totals[-1]
        return float(np.sqrt(self.totals[:-1] / self.totals[-1]).mean()) if seen else float("nan")
