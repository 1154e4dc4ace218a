from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.matrix import Matrix


@metric("balanced_accuracy", "balanced_accuracy_score")
class BalancedAccuracy(Matrix):
    """Mean recall over the classes that occur among the targets: accuracy as if every class had as many examples."""

    def of(self, matrix: Array) -> float:
        actual = matrix.sum(axis=1)
        return float(np.mean(np.diag(matrix)[actual > 0] / actual[actual > 0]))
