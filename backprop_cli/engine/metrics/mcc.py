from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.matrix import Matrix


@metric("mcc", "matthews_corrcoef", "matthews_correlation")
class MCC(Matrix):
    """Matthews correlation of predicted and true classes: 1 for all right, 0 for what chance gives.

    (n c − Σ t_k p_k) / √((n² − Σ p_k²) (n² − Σ t_k²))          c right of n; t_k of class k, p_k predicted as k
    0 where the denominator is. Gorodkin 2004, doi:10.1016/j.compbiolchem.2004.09.006
    """

    def of(self, matrix: Array) -> float:
        n, right = matrix.sum(), np.trace(matrix)
        actual, guessed = matrix.sum(axis=1), matrix.sum(axis=0)
        below = (n * n - guessed @ guessed) * (n * n - actual @ actual)
        return float((n * right - actual @ guessed) / np.sqrt(below)) if below > 0 else 0.0
