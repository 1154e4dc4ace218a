from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric


@metric("mse", "mean_squared_error")
class MSE(Metric):
    """Mean of (y − t)² over examples and outputs."""

    def update(self, y: Array, target: Array) -> None:
        difference = (y - target.reshape(y.shape)).reshape(-1).astype(np.float64)
        self.totals += [np.dot(difference, difference), difference.size]
