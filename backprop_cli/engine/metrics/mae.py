from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric


@metric("mae", "mean_absolute_error")
class MAE(Metric):
    """Mean of |y − t| over examples and outputs."""

    def update(self, y: Array, target: Array) -> None:
        difference = np.abs(y - target.reshape(y.shape))
        self.totals += [float(difference.sum(dtype=np.float64)), difference.size]
