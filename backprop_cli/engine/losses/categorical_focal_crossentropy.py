from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.losses.base import loss, mean, weigh
from backprop_cli.engine.losses.categorical import Categorical
from backprop_cli.registry import Doc


@loss(
    "categorical_focal_crossentropy",
    "sparse_categorical_focal_crossentropy",
    "categorical_focal",
    "focal",
    "focal_loss",
)
class CategoricalFocalCrossentropy(Categorical):
    """Cross-entropy over K classes in which the easy examples count less; class ids or rows as targets.

    L = −α/N Σ_n Σ_k t_k (1 − y_k)^γ log y_k          y (N, K) or (N, T, K)   t (N,) or (N, K)
    dy_k = g_k / y_k,  g_k = α t_k (γ y_k (1 − y_k)^(γ−1) log y_k − (1 − y_k)^γ) / N
    After a final softmax, or with `from_logits`, the two are fused: dz = g − y Σ_j g_j.
    Lin et al. 2017, arXiv:1708.02002. The other options are those of categorical_crossentropy.
    """

    gamma: Annotated[NonNegative, Doc("how much less easy examples count; 0 is plain cross-entropy")] = 2.0
    alpha: Annotated[NonNegative, Doc("factor on the whole loss")] = 0.25

    examples = [
        {"output": (4,), "target": "classes", "activation": "softmax"},
        {"options": {"gamma": 0.5, "alpha": 1}, "output": (2, 3), "target": "distribution", "activation": "softmax"},
        {"options": {"gamma": 0, "from_logits": True, "label_smoothing": 0.1}, "output": (3,), "target": "classes"},
        {"options": {"class_weights": [1, 2, 3]}, "output": (3,), "target": "classes", "activation": "softmax"},
    ]

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        p, logits = self._probabilities(z, y)
        terms, power = self._log(p, logits), self.scratch("power", y.shape, y.dtype)
        np.subtract(1, p, out=power)
        np.power(power, self.gamma, out=power)
        np.multiply(terms, power, out=terms)
        np.multiply(terms, self._rows(target, y.shape, y.dtype), out=terms)
        losses = self.scratch("losses", y.shape[:-1], y.dtype)
        np.sum(terms, axis=-1, out=losses)
        return -self.alpha * mean(losses, self._weight(target, y.shape, y.dtype, weight))

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        p = self.views["p"] if z is y and self.from_logits else y
        logits = z if z is not y or self.from_logits else None
        q, power = self.scratch("q", y.shape, y.dtype), self.scratch("power", y.shape, y.dtype)
        np.subtract(1, p, out=q)
        np.maximum(q, np.finfo(q.dtype).eps, out=q)  # q^(γ−1) where γ < 1
        np.power(q, self.gamma - 1, out=power)
        np.multiply(self._log(p, logits), p, out=dz)
        np.multiply(dz, self.gamma, out=dz)
        np.subtract(dz, q, out=dz)
        np.multiply(dz, power, out=dz)
        np.multiply(dz, self._rows(target, y.shape, y.dtype), out=dz)
        if logits is None:
            np.maximum(p, np.finfo(p.dtype).tiny, out=q)
            np.divide(dz, q, out=dz)
        else:
            row = self.scratch("row", (*y.shape[:-1], 1), y.dtype)
            np.sum(dz, axis=-1, keepdims=True, out=row)
            np.multiply(p, row, out=q)
            np.subtract(dz, q, out=dz)
        np.multiply(dz, self.alpha, out=dz)
        weigh(dz, self._weight(target, y.shape, y.dtype, weight), y.size // y.shape[-1])
