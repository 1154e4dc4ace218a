from __future__ import annotations

import math
from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.losses.base import Elementwise, loss
from backprop_cli.registry import Doc


@loss("poisson")
class Poisson(Elementwise):
    """Negative log-likelihood of counts t under Poisson rates y, without the constant log t!.

    L = 1/(N K) Σ y − t log(y + ε)          dy = (1 − t / (y + ε)) / (N K)          y > 0, t ≥ 0 (N, K)
    ε = 1e-7, as in Keras. Outputs must be positive: end with softplus.
    With `log_input`, y are logarithms of rates: L = 1/(N K) Σ exp(y) − t y, dy = (exp(y) − t) / (N K). That is the
    default of PyTorch's PoissonNLLLoss, whose names imply it. Predictions and metrics then are of logarithms, too.
    A y above 80 in float32, and above 700 in float64, has the exponential of that bound, so that sums stay finite.
    """

    output_range = (0.0, math.inf)
    target_range = (0.0, math.inf)
    ends_with = "softplus"

    implied = {name: {"log_input": True} for name in ("PoissonNLLLoss", "poisson_nll_loss", "poisson_nll")}

    log_input: Annotated[bool, Doc("outputs are logarithms of rates, of either sign, instead of rates")] = False

    examples = [
        {"output": (3,), "target": "positive", "activation": "softplus"},
        {"options": {"log_input": True}, "output": (3,), "target": "positive"},
    ]

    def check_activation(self, last: Activation | None) -> None:
        if not self.log_input:
            super().check_activation(last)

    def values(self, y: Array, t: Array, out: Array) -> None:
        if self.log_input:
            product = self.scratch("product", y.shape, y.dtype)
            np.multiply(t, y, out=product)
            self._exponential(y, out)
            np.subtract(out, product, out=out)
            return
        self._rate(y, out)
        np.log(out, out=out)
        np.multiply(out, t, out=out)
        np.subtract(y, out, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        if self.log_input:
            self._exponential(y, out)
            np.subtract(out, t, out=out)
            return
        self._rate(y, out)
        np.divide(t, out, out=out)
        np.subtract(1, out, out=out)

    @staticmethod
    def _exponential(y: Array, out: Array) -> None:
        np.minimum(y, 80 if y.dtype == np.float32 else 700, out=out)
        np.exp(out, out=out)

    @staticmethod
    def _rate(y: Array, out: Array) -> None:
        np.maximum(y, 0, out=out)
        np.add(out, 1e-7, out=out)
