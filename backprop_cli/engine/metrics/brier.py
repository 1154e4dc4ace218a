from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric


@metric("brier", "brier_score", "brier_score_loss")
class Brier(Metric):
    """Brier score: the mean squared distance of the probabilities from the truth.

    1/N Σ (p_n − t_n)² of yes or no; 1/N Σ_n Σ_k (p[n, k] − t[n, k])² of classes, t one-hot, as in scikit-learn.
    Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2
    """

    measures = "probabilities"

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        shares = reading.probabilities(y)
        p = reading.rows(y if shares is None else shares).astype(np.float64)
        if target.size == p.size:
            p -= target.reshape(p.shape)
        else:
            p[np.arange(len(p)), target.reshape(-1).astype(np.int64, copy=False)] -= 1
        self.totals[0] += np.square(p).sum()
        self.totals[1] += len(p)
