from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, class_ids, metric


@metric("perplexity", "ppl")
class Perplexity(Metric):
    """e to the mean cross-entropy: how many equally likely classes the network hesitates between.

    exp(−1/N Σ log y[n, t_n])          y (N, K) or (N, T, K)   t (N,) or (N, T)
    """

    def update(self, y: Array, target: Array) -> None:
        _, truth = class_ids(y, target, self.reading)
        rows = y.reshape(len(truth), -1)
        if rows.shape[1] == 1:
            chosen = np.abs(1 - truth - self._sigmoid(rows[:, 0]))
        else:
            chosen = rows[np.arange(len(truth)), truth]
        self.totals[0] += self._cross_entropy(rows, chosen)
        self.totals[1] += len(truth)

    def _cross_entropy(self, rows: Array, chosen: Array) -> float:
        """Σ −log p of the classes chosen."""
        if self.reading.logits and rows.shape[1] > 1:
            top = rows.max(axis=1, keepdims=True)
            powers = self.scratch("powers", rows.shape, rows.dtype)
            np.subtract(rows, top, out=powers)
            np.exp(powers, out=powers)
            return float((np.log(powers.sum(axis=1)) + top[:, 0] - chosen).sum(dtype=np.float64))
        return float(-np.log(np.maximum(chosen, np.finfo(chosen.dtype).tiny)).sum(dtype=np.float64))

    def _sigmoid(self, z: Array) -> Array:
        return 0.5 + 0.5 * np.tanh(0.5 * z) if self.reading.logits else z

    def result(self) -> float:
        mean = super().result()
        return math.exp(mean) if mean < 709 else math.inf if mean == mean else mean
