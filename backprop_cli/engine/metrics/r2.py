from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric


@metric("r2", "r2_score", "r_squared")
class R2(Metric):
    """Coefficient of determination, the mean over the K outputs.

    R² = 1 − Σ (t − y)² / Σ (t − t̄)²          y, t (N, K)
    Of an output whose targets are all equal it is undefined, and as in scikit-learn 1 if it meets them exactly, else 0.
    Means and squares are merged batch by batch as in Chan, Golub & LeVeque 1983, doi:10.2307/2683386.
    """

    maximize = True
    size = 0
    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1)
        truth = target.reshape(rows.shape)
        if self.totals.size != 5 * rows.shape[1]:
            self.totals = np.zeros(5 * rows.shape[1])
        n, first, mean, squares, errors = self.totals.reshape(5, -1)
        if not n.any():
            first[...] = truth[0]  # counted from there, equal targets have a variance of exactly 0
        difference = self.scratch("difference", rows.shape, np.float64)
        np.subtract(rows, truth, out=difference)
        errors += np.einsum("nk,nk->k", difference, difference)
        np.subtract(truth, first, out=difference)
        batch_mean = difference.mean(axis=0)
        np.subtract(difference, batch_mean, out=difference)
        delta, share = batch_mean - mean, len(rows) / (n + len(rows))
        squares += np.einsum("nk,nk->k", difference, difference) + delta**2 * n * share
        mean += delta * share
        n += len(rows)

    def result(self) -> float:
        n, _, _, squares, errors = self.totals.reshape(5, -1)
        if not n.any():
            return float("nan")
        ratios = np.divide(errors, squares, out=(errors > 0).astype(float), where=squares > 0)
        return float(np.mean(1 - ratios))
