from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric


@metric("mse", "mean_squared_error", "l2")
class MSE(Metric):
    """Mean of (y − t)² over examples and outputs."""

    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        difference = self.scratch("difference", y.shape, y.dtype)
        np.subtract(y, target.reshape(y.shape), out=difference)
        np.multiply(difference, difference, out=difference)
        self.totals[0] += difference.sum(dtype=np.float64)
        self.totals[1] += y.size
