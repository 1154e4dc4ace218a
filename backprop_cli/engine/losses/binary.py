"""What losses on independent yes/no outputs share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.losses.base import ClassWeights, Loss, balanced, weights_by_class
from backprop_cli.engine.reading import Scale
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@dataclass(kw_only=True)
class Binary(Loss):
    """A loss that reads its targets, and what they weigh, in the same way."""

    from_logits: Annotated[bool, Doc("the network ends without a sigmoid; the loss applies it, in the stable form")] = (
        False
    )
    label_smoothing: Annotated[float, Interval(ge=0, lt=1), Doc("ε: targets move this far towards ½")] = 0.0
    class_weights: ClassWeights = None

    fuses = ("sigmoid",)
    targets = "either"
    answers = "labels"
    target_range = (0.0, 1.0)
    ends_with = "sigmoid"

    @property
    def scale(self) -> Scale:
        return "logits" if self.from_logits else "probabilities"

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

    def learn(self, y: Array) -> None:
        if self.class_weights == "balanced":
            self.class_weights = balanced(y, self.labels, self.type_name)

    def check_activation(self, last: Activation | None) -> None:
        if last is None:
            return
        unbounded = math.inf in last.range and -math.inf in last.range
        if self.from_logits and not unbounded:
            raise BuildError(
                f"from_logits: true takes outputs without an activation, but the network ends with {last.type_name}; "
                "leave from_logits out (the name BCEWithLogitsLoss implies it, bce does not) and end with sigmoid, "
                "which is fused with the loss"
            )
        if not self.from_logits and (last.range[0] < 0 or last.range[1] > 1):
            remedy = (
                "end with activation: sigmoid (it is fused with the loss, as stable as logits), "
                "or set from_logits: true"
                if unbounded
                else "end with activation: sigmoid"
            )
            raise BuildError(f"{self.type_name} takes probabilities, got outputs of {last.type_name}; {remedy}")

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
            factors = self.scratch("each", terms.shape, terms.dtype)
            np.multiply(target.reshape(terms.shape), yes - no, out=factors)
            np.add(factors, no, out=factors)
            np.multiply(terms, factors, out=terms)

    def _class_weights(self) -> tuple[float, float]:
        assert self.class_weights is not None
        names = self.labels if len(self.labels) == 2 else ("0", "1")
        no, yes = weights_by_class(self.class_weights, names)
        return no, yes


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
