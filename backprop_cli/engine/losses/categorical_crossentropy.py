from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.layer import Shape
from backprop_cli.engine.losses.base import Array, Loss, loss, mean, weigh
from backprop_cli.errors import BuildError


@loss("categorical_crossentropy")
class CategoricalCrossentropy(Loss):
    """Cross-entropy of one distribution over K classes, targets as rows that sum to one.

    L = −1/N Σ_n Σ_k t_k log y_k          dy = −t / (y N)          y, t (N, K) or (N, T, K)
    After a final softmax the two are fused: L = mean(logsumexp z − Σ t z), dz = (y − t)/N.
    """

    fuses = ("softmax",)

    examples = [{"output": (4,), "target": "distribution", "activation": "softmax"}]

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if target == output[:-1] and target_dtype.kind in "iub":
            raise BuildError(
                "categorical_crossentropy takes one-hot rows, got integer class ids; "
                "use sparse_categorical_crossentropy, or add the transform {type: one_hot}"
            )
        if output != target:
            raise BuildError(
                f"categorical_crossentropy compares outputs of shape {output} with targets of shape {target}; "
                "they must be equal"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        return mean(-(target * log_probabilities(z, y)).sum(axis=-1), weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        if z is not y:
            np.multiply(y, target.sum(axis=-1, keepdims=True), out=dz)
            np.subtract(dz, target, out=dz)
        else:
            np.divide(target, np.maximum(y, np.finfo(y.dtype).tiny), out=dz)
            np.negative(dz, out=dz)
        weigh(dz, weight, y.size // y.shape[-1])


def log_probabilities(z: Array, y: Array) -> Array:
    """log y, from the logits where there are any: z − logsumexp z, which no underflow of y can touch."""
    if z is y:
        return np.log(np.maximum(y, np.finfo(y.dtype).tiny))  # type: ignore[no-any-return]  # a NumPy stub gap
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))  # type: ignore[no-any-return]  # likewise
