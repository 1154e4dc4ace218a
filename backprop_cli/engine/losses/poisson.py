from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Elementwise, loss


@loss("poisson", "poisson_nll", "poisson_nll_loss")
class Poisson(Elementwise):
    """Negative log-likelihood of counts t under Poisson rates y, but for the constant log t!.

    L = 1/(N K) Σ y − t log(y + ε)          dy = (1 − t / (y + ε)) / (N K)          y > 0, t ≥ 0 (N, K)
    ε = 1e-7, as in Keras. Outputs must be positive: end with softplus.
    """

    output_range = (0.0, math.inf)
    target_range = (0.0, math.inf)
    ends_with = "softplus"

    examples = [{"output": (3,), "target": "positive", "activation": "softplus"}]

    def values(self, y: Array, t: Array, out: Array) -> None:
        self._rate(y, out)
        np.log(out, out=out)
        np.multiply(out, t, out=out)
        np.subtract(y, out, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        self._rate(y, out)
        np.divide(t, out, out=out)
        np.subtract(1, out, out=out)

    @staticmethod
    def _rate(y: Array, out: Array) -> None:
        np.maximum(y, 0, out=out)
        np.add(out, 1e-7, out=out)
