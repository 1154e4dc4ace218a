from __future__ import annotations

import numpy as np

from backprop_cli.engine.losses.base import Array, Loss, loss, mean, weigh


@loss("mean_squared_error", "mse", "squared_error")
class MeanSquaredError(Loss):
    """Mean of squared differences, over examples and outputs.

    L = 1/(N K) Σ (y − t)²          dy = 2 (y − t) / (N K)          y, t (N, K)
    With K = 2 outputs and one example this is the ½ Σ (t − y)² of the textbooks.
    """

    examples = [{"output": (2,), "target": "values"}, {"output": (3, 1), "target": "values"}]

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        difference = y - target.reshape(y.shape)
        return mean(difference * difference, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        np.subtract(y, target.reshape(y.shape), out=dz)
        np.multiply(dz, 2, out=dz)
        weigh(dz, weight, y.size)
