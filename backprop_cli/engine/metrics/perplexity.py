from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.log_loss import LogLoss


@metric("perplexity", "ppl")
class Perplexity(LogLoss):
    """e to the mean cross-entropy: how many equally likely classes the network hesitates between.

    exp(−1/N Σ log p[n, t_n])          p (N, K) or (N, T, K)   t (N,) or (N, T)
    or −1/N Σ_n Σ_k t log p where targets are rows of shares. From the logits wherever there are any; infinite where a
    right answer was given no chance.
    """

    def log(self, p: Array, rounding: float) -> Array:
        with np.errstate(divide="ignore"):
            return np.asarray(np.log(p))

    def result(self) -> float:
        mean = super().result()
        return math.exp(mean) if mean < 709 else math.inf if mean == mean else mean
