from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.metrics.per_output import rows_of

_LEAST = np.finfo(np.float64).eps


@metric("mape", "mean_absolute_percentage_error")
class MAPE(Metric):
    """Mean of |y − t| / |t| over examples and outputs, as a part of 1: 0.1 is 10 %.

    As in scikit-learn |t| counts as at least 2⁻⁵², so that a target of 0 makes it huge.
    """

    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        self.totals[0] += (np.abs(rows - truth) / np.maximum(np.abs(truth), _LEAST)).sum()
        self.totals[1] += rows.size
