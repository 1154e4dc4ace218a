from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric


@metric("log_loss", "cross_entropy")
class LogLoss(Metric):
    """Mean cross-entropy, without what a loss adds: penalties, class weights, label smoothing.

    −1/N Σ log p[n, t_n]          p (N, K) or (N, T, K)   t (N,) or (N, T)
    or −1/N Σ_n Σ_k t log p where targets are rows of shares. From the logits wherever there are any; else p is kept
    from 0 by the rounding of its type, as in scikit-learn.
    """

    measures = "probabilities"
    wants_logits = True

    def log(self, p: Array, rounding: float) -> Array:
        """log p; `rounding` is that of the type p came in."""
        return np.asarray(np.log(np.clip(p, rounding, 1 - rounding)))

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        rounding = float(np.finfo(y.dtype).eps) if y.dtype.kind == "f" else 0.0
        rows = reading.rows(y).astype(np.float64)
        if reading.kind == "binary":
            z, yes = rows[:, 0], target.reshape(-1).astype(np.float64)
            if reading.scale == "logits":  # −log σ(z) = log(1 + e⁻ᶻ)
                losses = yes * np.logaddexp(0, -z) + (1 - yes) * np.logaddexp(0, z)
            else:
                losses = -(self._times_log(yes, z, rounding) + self._times_log(1 - yes, 1 - z, rounding))
        else:
            if reading.scale == "logits":
                rows -= rows.max(axis=1, keepdims=True)
                rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
            else:
                rows = self.log(rows, rounding)
            if target.shape == y.shape:
                shares = target.reshape(rows.shape)
                losses = -(shares * np.where(shares > 0, rows, 0)).sum(axis=1)
            else:
                losses = -rows[np.arange(len(rows)), target.reshape(-1).astype(np.int64, copy=False)]
        self.totals[0] += losses.sum()
        self.totals[1] += len(losses)

    def _times_log(self, share: Array, p: Array, rounding: float) -> Array:
        """share · log p, with 0 log 0 = 0."""
        return np.asarray(share * self.log(np.where(share > 0, p, 1), rounding))
