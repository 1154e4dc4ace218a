from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.layer import NonNegative, Shape
from backprop_cli.engine.losses.base import Array, Loss, Reading, loss, mean, weigh
from backprop_cli.errors import BuildError


@dataclass(kw_only=True)
class Binary(Loss):
    """What losses on independent yes/no outputs share: reading p, and the targets."""

    from_logits: bool = False
    label_smoothing: Annotated[float, Interval(ge=0, lt=1)] = 0.0
    class_weights: list[NonNegative] | dict[int, NonNegative] | None = None

    fuses = ("sigmoid",)
    targets = "either"

    @property
    def reading(self) -> Reading:
        return Reading(logits=self.from_logits, independent=True)

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if classes is not None and classes > 2 and target == ():
            raise BuildError(
                f"{self.type_name} takes two classes, the data have {classes}; "
                "use softmax with sparse_categorical_crossentropy"
            )
        if output != target and output != (*target, 1):
            raise BuildError(
                f"{self.type_name} compares outputs of shape {output} with targets of shape {target}; "
                "for two classes end with one unit: {type: dense, units: 1, activation: sigmoid}"
            )
        if self.class_weights is not None:
            self._class_weights()

    def check_activation(self, last: str | None) -> None:
        if last is None:
            return
        if self.from_logits and last != "linear":
            raise BuildError(
                f"from_logits: true takes outputs without an activation, but the network ends with {last}; "
                "leave from_logits out and end with sigmoid, which is fused with the loss"
            )
        if not self.from_logits and last not in ("sigmoid", "hard_sigmoid", "softmax"):
            remedy = (
                "end with activation: sigmoid (it is fused with the loss, as stable as logits), "
                "or set from_logits: true"
                if last == "linear"
                else "end with activation: sigmoid"
            )
            raise BuildError(f"{self.type_name} takes probabilities, got outputs of {last}; {remedy}")

    def _targets(self, target: Array, y: Array) -> Array:
        """Targets in y's shape, smoothed: (1 − ε) t + ε/2."""
        t = target.reshape(y.shape)
        if not self.label_smoothing:
            return t
        smoothed = self.scratch("smoothed", y.shape, y.dtype)
        np.multiply(t, 1 - self.label_smoothing, out=smoothed)
        np.add(smoothed, self.label_smoothing / 2, out=smoothed)
        return smoothed

    def _weigh_classes(self, terms: Array, target: Array) -> None:
        """Multiply by w₀ + (w₁ − w₀) t."""
        if self.class_weights is not None:
            no, yes = self._class_weights()
            each = self.scratch("each", terms.shape, terms.dtype)
            np.multiply(target.reshape(terms.shape), yes - no, out=each)
            np.add(each, no, out=each)
            np.multiply(terms, each, out=terms)

    def _class_weights(self) -> tuple[float, float]:
        given = self.class_weights
        pairs = given if isinstance(given, dict) else dict(enumerate(given or []))
        if set(pairs) - {0, 1} or (isinstance(given, list) and len(given) != 2):
            raise BuildError(
                f"class_weights names the classes {', '.join(map(str, pairs))}, but {self.type_name} knows 0 (no) "
                "and 1 (yes); give [weight of no, weight of yes], or {1: weight}"
            )
        return pairs.get(0, 1.0), pairs.get(1, 1.0)


def sigmoid(z: Array, out: Array) -> None:
    """1 / (1 + e⁻ᶻ), as (1 + tanh(z/2)) / 2."""
    np.multiply(z, 0.5, out=out)
    np.tanh(out, out=out)
    np.multiply(out, 0.5, out=out)
    np.add(out, 0.5, out=out)


def clip(y: Array, out: Array) -> None:
    """Keep probabilities away from 0 and 1, by 1e-7 (float32) or 1e-15 (float64)."""
    margin = 1e-7 if y.dtype == np.float32 else 1e-15
    np.clip(y, margin, 1 - margin, out=out)


@loss("binary_crossentropy", "binary_cross_entropy", "bce", "bce_loss", "bce_with_logits", "bce_with_logits_loss")
class BinaryCrossentropy(Binary):
    """Cross-entropy of independent yes/no outputs.

    L = −1/(N K) Σ t log y + (1 − t) log(1 − y)          t in [0, 1]   y, t (N, K)
    dy = (y − t) / (y (1 − y) N K)
    After a final sigmoid, or with `from_logits`, the two are fused:
    L = mean(max(z, 0) − z t + log(1 + e^−|z|)), dz = (y − t)/(N K).
    Unfused, y is kept 1e-7 (float32) or 1e-15 (float64) away from 0 and 1.
    `label_smoothing` ε turns t into (1 − ε) t + ε/2; `class_weights` [w₀, w₁] weighs each output by
    w₀ + (w₁ − w₀) t (PyTorch's pos_weight is {1: w}).
    """

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
