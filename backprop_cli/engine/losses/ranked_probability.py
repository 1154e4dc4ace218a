from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import loss, mean, spread
from backprop_cli.engine.losses.categorical import Categorical


@loss("ranked_probability", "ranked_probability_score", "rps", "squared_emd")
class RankedProbability(Categorical):
    """Ranked probability score: for classes that have an order, where an answer nearby is less wrong than one far off.

    L = 1/N Σ_n Σ_k (Y_k − T_k)²          Y, T: cumulated y and t, Y_k = y_1 + … + y_k          y (N, K)
    dy_j = 2/N Σ_{k ≥ j} (Y_k − T_k)
    After a final softmax the two are fused: dz = y ⊙ (dy − Σ y dy). `dataset.classes` gives the order.
    Epstein 1969, doi:10.1175/1520-0450(1969)008<0985:ASSFPF>2.0.CO;2; as a loss of networks Hou, Yu & Samaras 2016,
    arXiv:1611.05916
    """

    examples = [
        {"output": (4,), "target": "classes", "activation": "softmax"},
        {"output": (2, 3), "target": "classes", "activation": "softmax"},
        {"output": (4,), "target": "distribution", "activation": "softmax"},
        {"options": {"from_logits": True}, "output": (3,), "target": "classes"},
        {"options": {"label_smoothing": 0.1}, "output": (3,), "target": "classes", "activation": "softmax"},
        {"options": {"class_weights": [1, 2, 0.5]}, "output": (3,), "target": "classes", "activation": "softmax"},
    ]

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        p, _ = self._probabilities(z, y)
        gaps = self.scratch("gaps", y.shape, y.dtype)
        squares, terms = self.scratch("squares", y.shape, y.dtype), self.scratch("terms", y.shape[:-1], y.dtype)
        np.subtract(p, self._rows(target, y.shape, y.dtype), out=squares)
        np.cumsum(squares, axis=-1, out=gaps)
        np.multiply(gaps, gaps, out=squares)
        np.sum(squares, axis=-1, out=terms)
        return mean(terms, self._weight(target, y.shape, y.dtype, weight))

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        gaps, count = self.views["gaps"], y.size // y.shape[-1]
        np.cumsum(gaps[..., ::-1], axis=-1, out=dz[..., ::-1])
        np.multiply(dz, 2 / count, out=dz)
        weight = self._weight(target, y.shape, y.dtype, weight)
        if weight is not None:
            np.multiply(dz, spread(weight, dz.ndim), out=dz)
        if z is y and not self.from_logits:
            return
        p = y if z is not y else self.views["p"]
        row, squares = self.scratch("row", (*y.shape[:-1], 1), y.dtype), self.scratch("squares", y.shape, y.dtype)
        np.multiply(p, dz, out=squares)
        np.sum(squares, axis=-1, keepdims=True, out=row)
        np.subtract(dz, row, out=dz)
        np.multiply(dz, p, out=dz)
