from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric


@metric("perplexity", "ppl")
class Perplexity(Metric):
    """e to the mean cross-entropy: how many equally likely classes the network hesitates between.

    exp(−1/N Σ log p[n, t_n])          p (N, K) or (N, T, K)   t (N,) or (N, T)
    or −1/N Σ_n Σ_k t log p where targets are rows of shares. From the logits wherever there are any.
    """

    measures = "probabilities"
    wants_logits = True

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        rows = reading.rows(y).astype(np.float64)
        if reading.kind == "binary":
            z, yes = rows[:, 0], target.reshape(-1).astype(np.float64)
            if reading.scale == "logits":  # −log σ(z) = log(1 + e⁻ᶻ)
                losses = yes * np.logaddexp(0, -z) + (1 - yes) * np.logaddexp(0, z)
            else:
                losses = -(_times_log(yes, z) + _times_log(1 - yes, 1 - z))
        else:
            if reading.scale == "logits":
                rows -= rows.max(axis=1, keepdims=True)
                rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
            else:
                with np.errstate(divide="ignore"):  # a right answer that was given no chance: infinite
                    rows = np.log(rows)
            if target.shape == y.shape:
                shares = target.reshape(rows.shape)
                losses = -(shares * np.where(shares > 0, rows, 0)).sum(axis=1)
            else:
                losses = -rows[np.arange(len(rows)), target.reshape(-1).astype(np.int64, copy=False)]
        self.totals[0] += losses.sum()
        self.totals[1] += len(losses)

    def result(self) -> float:
        mean = super().result()
        return math.exp(mean) if mean < 709 else math.inf if mean == mean else mean


def _times_log(share: Array, p: Array) -> Array:
    """share · log p, with 0 log 0 = 0."""
    with np.errstate(divide="ignore"):
        return np.asarray(share * np.log(np.where(share > 0, p, 1)))
