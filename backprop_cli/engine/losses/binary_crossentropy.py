from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Term, loss, mean, pairs, weigh
from backprop_cli.engine.losses.binary import Binary, clip, sigmoid


@loss("binary_crossentropy", "binary_cross_entropy", "bce", "bce_loss")
class BinaryCrossentropy(Binary):
    """Cross-entropy of independent yes/no outputs.

    L = −1/(N K) Σ t log y + (1 − t) log(1 − y)          t in [0, 1]   y, t (N, K)
    dy = (y − t) / (y (1 − y) N K)
    After a final sigmoid, or with `from_logits`, the two are fused:
    L = mean(max(z, 0) − z t + log(1 + e^−|z|)), dz = (y − t)/(N K).
    Unfused, y is kept 1e-7 (float32) or 1e-15 (float64) away from 0 and 1.
    `label_smoothing` ε turns t into (1 − ε) t + ε/2; `class_weights` [w₀, w₁] weighs each output by
    w₀ + (w₁ − w₀) t (PyTorch's pos_weight is [1, w]); they may be named by
    the labels of the data, {yes: 3}.
    """

    listed_under = "Used most"

    implied = {name: {"from_logits": True} for name in ("BCEWithLogitsLoss", "bce_with_logits", "bce_with_logits_loss")}

    examples = [
        {"output": (1,), "target": "binary", "activation": "sigmoid"},
        {"output": (2, 3), "target": "binary", "activation": "sigmoid"},
        {"options": {"from_logits": True}, "output": (3,), "target": "binary"},
        {
            "options": {"label_smoothing": 0.2, "class_weights": [1, 3]},
            "output": (3,),
            "target": "binary",
            "activation": "sigmoid",
        },
    ]

    def terms(self, y: Array, target: Array) -> list[Term]:
        if self.label_smoothing or self.class_weights is not None:
            return []
        k, summands = y.size, []
        for i, a, t in pairs(y, target):
            if self.from_logits:
                summands.append(
                    Term(f"(log(1 + e^{{y{i}}}) − {{t{i}}}·{{y{i}}}) / {k}", (np.logaddexp(0, a) - t * a) / k)
                )
            elif t in (0, 1):
                formula = f"−log {{y{i}}} / {k}" if t else f"−log(1 − {{y{i}}}) / {k}"
                summands.append(Term(formula, -float(np.log(max(a if t else 1 - a, np.finfo(y.dtype).tiny))) / k))
        return summands

    def chance(self, target: Array) -> float:
        """The entropy of how often each output is a yes."""
        p = target.reshape(len(target), -1).mean(axis=0, dtype=np.float64)
        both = np.stack([p, 1 - p])
        return float(-(both * np.log(np.where(both > 0, both, 1))).sum(axis=0).mean())

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        t = self._targets(target, y)
        terms, other = self.scratch("terms", y.shape, y.dtype), self.scratch("other", y.shape, y.dtype)
        if z is not y or self.from_logits:
            np.abs(z, out=terms)
            np.negative(terms, out=terms)
            np.exp(terms, out=terms)
            np.log1p(terms, out=terms)
            np.maximum(z, 0, out=other)
            np.add(terms, other, out=terms)
            np.multiply(z, t, out=other)
            np.subtract(terms, other, out=terms)
        else:  # −(t (log y − log(1 − y)) + log(1 − y))
            clip(y, terms)
            np.negative(terms, out=other)
            np.log1p(other, out=other)
            np.log(terms, out=terms)
            np.subtract(terms, other, out=terms)
            np.multiply(terms, t, out=terms)
            np.add(terms, other, out=terms)
            np.negative(terms, out=terms)
        self._weigh_classes(terms, target)
        return mean(terms, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        t = self._targets(target, y)
        if z is not y:
            np.subtract(y, t, out=dz)
        elif self.from_logits:
            sigmoid(z, dz)
            np.subtract(dz, t, out=dz)
        else:
            p, slope = self.scratch("terms", y.shape, y.dtype), self.scratch("other", y.shape, y.dtype)
            clip(y, p)
            np.subtract(1, p, out=slope)
            np.multiply(slope, p, out=slope)
            np.subtract(y, t, out=dz)
            np.divide(dz, slope, out=dz)
        self._weigh_classes(dz, target)
        weigh(dz, weight, y.size)
