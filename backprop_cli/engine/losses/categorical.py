"""What losses on one distribution over K classes share."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.losses.base import ClassWeights, Loss, balanced, check_rows, spread, weights_by_class
from backprop_cli.engine.reading import Scale
from backprop_cli.engine.targets import Targets
from backprop_cli.errors import BuildError, DataError
from backprop_cli.registry import Doc


@dataclass(kw_only=True)
class Categorical(Loss):
    """A loss that reads p, log p and its targets, class ids or rows, in the same way."""

    from_logits: Annotated[bool, Doc("the network ends without softmax; the loss applies it, in the stable form")] = (
        False
    )
    label_smoothing: Annotated[
        float, Interval(ge=0, lt=1), Doc("ε: targets move this far towards the uniform distribution")
    ] = 0.0
    class_weights: ClassWeights = None

    fuses = ("softmax",)
    targets = "either"
    answers = "classes"
    ends_with = "softmax"

    @property
    def scale(self) -> Scale:
        return "logits" if self.from_logits else "probabilities"

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        rows = output[:-1]
        if target in (rows, (*rows, 1)) and target != output:
            if target_dtype.kind not in "iub":
                raise BuildError(
                    f"{self.type_name} takes integer class ids or one-hot rows, got {target_dtype} targets of "
                    f"shape {target}; use mean_squared_error for values, or dataset.task: classification for class ids "
                    "that are written with a point"
                )
            if classes is not None and classes > output[-1]:
                raise BuildError(
                    f"the network ends with {output[-1]} units, but the data have {classes} classes; "
                    f"end with {{type: dense, units: {classes}, activation: softmax}}"
                )
        elif target != output:
            raise BuildError(
                f"{self.type_name} takes one class id, or one row of {output[-1]} numbers, per row of the output "
                f"{output}, got targets of shape {target}"
            )
        if output[-1] == 1:
            raise BuildError(
                f"{self.type_name} tells classes apart, and the network ends with one unit; "
                "use mean_squared_error for values, binary_crossentropy for yes or no"
            )
        if self.class_weights is not None:
            self.views.pop("class weights", None)
            self._class_weights(output[-1], np.dtype(float))

    def check_targets(self, targets: Targets, output: Shape) -> None:
        if targets.shape == output:
            check_rows(self, targets)
        elif targets.low < 0 or targets.high >= output[-1]:
            raise BuildError(
                f"{self.type_name} takes class ids from 0 to {output[-1] - 1} for {output[-1]} units, got "
                f"{targets.low:g} to {targets.high:g}; end with a unit for each class"
            )

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
                "leave from_logits out (CrossEntropyLoss implies it, cross_entropy does not) and end with softmax, "
                "which is fused with the loss"
            )
        if not self.from_logits and not last.distribution:
            remedy = "end with activation: softmax"
            if unbounded:
                remedy += " (it is fused with the loss, as stable as logits), or set from_logits: true"
            elif last.shares_row:
                remedy = "end with softmax instead: it is fused with the loss, which takes the logarithm itself"
            elif last.takes_logits:
                remedy = (
                    "use softmax where one class is right, or binary_crossentropy where each output is a yes/no of "
                    "its own"
                )
            raise BuildError(
                f"{self.type_name} takes probabilities that sum to one, got outputs of {last.type_name}; {remedy}"
            )

    def _probabilities(self, z: Array, y: Array) -> tuple[Array, Array | None]:
        """p, and the logits where there are any."""
        if z is not y:
            return y, z
        if not self.from_logits:
            return y, None
        p, row = self.scratch("p", z.shape, z.dtype), self.scratch("row", (*z.shape[:-1], 1), z.dtype)
        rows = (-1, z.shape[-1])
        self.kernels.softmax(z.reshape(rows), p.reshape(rows), row.reshape(-1, 1))
        return p, z

    def _log(self, p: Array, logits: Array | None) -> Array:
        """log p; from the logits z where there are any, as z − z_k + log p_k for the likeliest k, which
        no underflow of p can touch."""
        out = self.scratch("log", p.shape, p.dtype)
        if logits is None:
            np.maximum(p, np.finfo(p.dtype).tiny, out=out)
            np.log(out, out=out)
            return out
        row = self.scratch("row", (*p.shape[:-1], 1), p.dtype)
        np.max(logits, axis=-1, keepdims=True, out=row)
        np.subtract(logits, row, out=out)
        np.max(p, axis=-1, keepdims=True, out=row)
        np.log(row, out=row)
        np.add(out, row, out=out)
        return out

    def _flat(self, target: Array, classes: int) -> Array:
        """The place of each row's class in the flattened (rows, K)."""
        flat, ids = self.scratch("places", (target.size,), np.int64), target.reshape(-1)
        if ids.dtype != np.int64:
            np.copyto(flat, ids, casting="same_kind")
            ids = flat
        if np.maximum.reduce(ids.view(np.uint64)) >= classes:  # a negative id is huge here
            wrong = ids[(ids < 0) | (ids >= classes)][0]
            raise DataError(f"class id {wrong} among the targets; expected 0 … {classes - 1}")
        if "starts" not in self.views or self.views["starts"].size != ids.size:
            self.scratch("starts", ids.shape, np.int64)[:] = np.arange(ids.size)
            np.multiply(self.views["starts"], classes, out=self.views["starts"])
        np.add(ids, self.views["starts"], out=flat)
        return flat

    def _rows(self, target: Array, shape: Shape, dtype: Any) -> Array:
        """Targets as rows of K, smoothed: (1 − ε) t + ε/K."""
        smoothing = self.label_smoothing
        if target.shape == shape and not smoothing:
            return target
        rows = self.scratch("rows", shape, dtype)
        if target.shape == shape:
            np.multiply(target, 1 - smoothing, out=rows)
            np.add(rows, smoothing / shape[-1], out=rows)
        else:
            rows[...] = smoothing / shape[-1]
            rows.reshape(-1)[self._flat(target, shape[-1])] = 1 - smoothing + smoothing / shape[-1]
        return rows

    def _weight(self, target: Array, shape: Shape, dtype: Any, weight: Array | None) -> Array | None:
        """The weight of every row: the example's (or step's) times its class's."""
        if self.class_weights is None:
            return weight
        by_class = self._class_weights(shape[-1], np.dtype(dtype))
        weights = target @ by_class if target.shape == shape else by_class[target.reshape(shape[:-1])]
        return weights if weight is None else weights * spread(weight, weights.ndim)

    def _class_weights(self, classes: int, dtype: np.dtype[Any]) -> Array:
        known = self.views.get("class weights")
        if known is not None and known.shape == (classes,) and known.dtype == dtype:
            return known
        assert self.class_weights is not None
        names = self.labels or [str(k) for k in range(classes)]
        weights = self.scratch("class weights", (classes,), dtype)
        weights[:] = weights_by_class(self.class_weights, names)
        return weights
