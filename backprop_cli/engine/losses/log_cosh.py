from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Elementwise, loss


@loss("log_cosh", "logcosh")
class LogCosh(Elementwise):
    """Logarithm of the hyperbolic cosine of the difference: ½ d² near the target, |d| − log 2 far off.

    L = 1/(N K) Σ log cosh(y − t)          dy = tanh(y − t) / (N K)          y, t (N, K)
    Computed as |d| + log(1 + e^(−2|d|)) − log 2, which cannot overflow.
    """

    examples = [{"output": (3,), "target": "values"}]

    def values(self, y: Array, t: Array, out: Array) -> None:
        size = self.scratch("size", y.shape, y.dtype)
        np.subtract(y, t, out=size)
        np.abs(size, out=size)
        np.multiply(size, -2, out=out)
        np.exp(out, out=out)
        np.log1p(out, out=out)
        np.add(out, size, out=out)
        np.subtract(out, math.log(2), out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.tanh(out, out=out)
