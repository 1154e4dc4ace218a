from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Term, loss, mean, spread, weigh
from backprop_cli.engine.losses.categorical import Categorical


@loss(
    "categorical_crossentropy",
    "sparse_categorical_crossentropy",
    "categorical_cross_entropy",
    "sparse_categorical_cross_entropy",
    "crossentropy",
    "cross_entropy",
    "cross_entropy_loss",
    "nll",
    "nll_loss",
)
class CategoricalCrossentropy(Categorical):
    """Cross-entropy of one distribution over K classes; targets are class ids or rows that sum to one.

    L = −1/N Σ_n Σ_k t_k log y_k          dy = −t / (y N)          y (N, K)   t (N,) or (N, K)
    or y (N, T, K) with t (N, T) or (N, T, K), the mean then over steps too.
    After a final softmax, or with `from_logits`, the two are fused: L = mean(logsumexp z − Σ t z),
    dz = (y − t)/N. `label_smoothing` ε turns t into (1 − ε) t + ε/K (Szegedy et al. 2016,
    arXiv:1512.00567). `class_weights`, {label: weight} or a list, weighs each example by Σ_k w_k t_k;
    the mean is over N all the same, as in Keras (PyTorch divides by the sum of the weights).
    Raises DataError for a class id outside 0 … K − 1.
    """

    listed_under = "Used most"

    implied = {"CrossEntropyLoss": {"from_logits": True}}  # PyTorch's

    examples = [
        {"output": (4,), "target": "classes", "activation": "softmax"},
        {"output": (3, 5), "target": "classes", "activation": "softmax"},
        {"output": (4,), "target": "distribution", "activation": "softmax"},
        {"options": {"from_logits": True}, "output": (4,), "target": "classes"},
        {"options": {"from_logits": True}, "output": (2, 3), "target": "distribution"},
        {"options": {"label_smoothing": 0.1}, "output": (4,), "target": "classes", "activation": "softmax"},
        {"options": {"label_smoothing": 0.3}, "output": (3,), "target": "distribution", "activation": "softmax"},
        {"options": {"class_weights": [1, 2, 0.5]}, "output": (3,), "target": "classes", "activation": "softmax"},
        {"options": {"class_weights": {"1": 3}}, "output": (2, 3), "target": "distribution", "activation": "softmax"},
        {
            "options": {"class_weights": {"0": 3}, "label_smoothing": 0.2, "from_logits": True},
            "output": (2, 3),
            "target": "classes",
        },
    ]

    def terms(self, y: Array, target: Array) -> list[Term]:
        if self.label_smoothing or self.class_weights is not None or y.ndim != 1:
            return []
        rows = {int(target.reshape(-1)[0]): 1.0} if target.shape != y.shape else dict(enumerate(target.tolist()))
        total = " + ".join(f"e^{{y{j + 1}}}" for j in range(y.size))
        summands = []
        for i, share in rows.items():
            weight = "" if share == 1 else f"{{t{i + 1}}}·"
            if self.from_logits:
                formula = f"{weight}(log({total}) − {{y{i + 1}}})"
                summands.append(Term(formula, share * float(np.logaddexp.reduce(y) - y[i])))
            else:
                formula = f"−{weight}log {{y{i + 1}}}"
                summands.append(Term(formula, -share * float(np.log(max(y[i], np.finfo(y.dtype).tiny)))))
        return [term for term, share in zip(summands, rows.values(), strict=True) if share]

    def chance(self, target: Array) -> float:
        """The entropy of how often each class occurs."""
        ids = target.dtype.kind in "iu"
        p = np.bincount(target.ravel()) / target.size if ids else target.reshape(-1, target.shape[-1]).mean(axis=0)
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        p, logits = self._probabilities(z, y)
        losses = self.scratch("losses", y.shape[:-1], y.dtype)
        if logits is not None and target.shape != y.shape and not self.label_smoothing:
            rows, places = (-1, y.shape[-1]), self._flat(target, y.shape[-1])
            log, row = self.scratch("log", p.shape, p.dtype), self.scratch("row", (*p.shape[:-1], 1), p.dtype)
            self.kernels.class_log(
                logits.reshape(rows), p.reshape(rows), places, losses.reshape(-1), log.reshape(rows), row.reshape(-1, 1)
            )
        else:
            terms = self._log(p, logits)
            np.multiply(terms, self._rows(target, y.shape, y.dtype), out=terms)
            np.sum(terms, axis=-1, out=losses)
        return -mean(losses, self._weight(target, y.shape, y.dtype, weight))

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        weight = self._weight(target, y.shape, y.dtype, weight)
        count = y.size // y.shape[-1]
        if z is y and not self.from_logits:
            np.maximum(y, np.finfo(y.dtype).tiny, out=dz)
            np.divide(self._rows(target, y.shape, y.dtype), dz, out=dz)
            np.negative(dz, out=dz)
            weigh(dz, weight, count)
            return
        p = y if z is not y else self.views["p"]
        if target.shape != y.shape and not self.label_smoothing:
            rows, chosen = (-1, y.shape[-1]), self.scratch("slopes", (count,), y.dtype)
            self.kernels.class_slope(p.reshape(rows), self.views["places"], dz.reshape(rows), chosen)
            if weight is not None:
                np.multiply(dz, spread(weight, dz.ndim), out=dz)
            return
        t = self._rows(target, y.shape, y.dtype)
        row = self.scratch("row", (*y.shape[:-1], 1), y.dtype)
        np.sum(t, axis=-1, keepdims=True, out=row)
        np.multiply(p, row, out=dz)
        np.subtract(dz, t, out=dz)
        weigh(dz, weight, count)
