from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.layer import Shape
from backprop_cli.engine.losses.base import Array, Loss, loss, mean, weigh
from backprop_cli.errors import BuildError


@loss("binary_crossentropy", "binary_cross_entropy", "bce")
class BinaryCrossentropy(Loss):
    """Cross-entropy of independent yes/no outputs.

    L = −1/(N K) Σ t log y + (1 − t) log(1 − y)          t in [0, 1]   y, t (N, K)
    dy = (y − t) / (y (1 − y) N K)
    After a final sigmoid the two are fused: L = mean(max(z, 0) − z t + log(1 + e^−|z|)), dz = (y − t)/(N K).
    Unfused, y is kept 1e-7 (float32) or 1e-15 (float64) away from 0 and 1.
    """

    fuses = ("sigmoid",)
    targets = "either"

    examples = [{"output": (1,), "target": "binary", "activation": "sigmoid"}]

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if classes is not None and classes > 2 and target == ():
            raise BuildError(
                f"binary_crossentropy takes two classes, the data have {classes}; "
                "use softmax with sparse_categorical_crossentropy"
            )
        if output != target and output != (*target, 1):
            raise BuildError(
                f"binary_crossentropy compares outputs of shape {output} with targets of shape {target}; "
                "for two classes end with one unit: {type: dense, units: 1, activation: sigmoid}"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        t = target.reshape(y.shape)
        if z is not y:
            return mean(np.maximum(z, 0) - z * t + np.log1p(np.exp(-np.abs(z))), weight)
        p = self._clipped(y)
        return mean(-(t * np.log(p) + (1 - t) * np.log1p(-p)), weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        np.subtract(y, target.reshape(y.shape), out=dz)
        if z is y:
            p = self._clipped(y)
            np.divide(dz, p * (1 - p), out=dz)
        weigh(dz, weight, y.size)

    @staticmethod
    def _clipped(y: Array) -> Array:
        margin = 1e-7 if y.dtype == np.float32 else 1e-15
        return np.clip(y, margin, 1 - margin)
