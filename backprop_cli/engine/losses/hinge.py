from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.losses.base import Elementwise, loss
from backprop_cli.engine.reading import Scale
from backprop_cli.engine.targets import Targets
from backprop_cli.errors import BuildError, DataError


@dataclass(kw_only=True)
class Margin(Elementwise):
    """What losses on a margin share: targets as signs, and m = max(0, 1 − t y)."""

    targets = "either"
    answers = "labels"

    @property
    def scale(self) -> Scale:
        return "scores"

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if output in (target, (*target, 1)):
            if classes is not None and classes > 2 and target == ():
                raise BuildError(
                    f"{self.type_name} of one output takes two classes, the data have {classes}; "
                    f"end with {{type: dense, units: {classes}}}"
                )
        elif target != output[:-1] or target_dtype.kind not in "iub":
            raise BuildError(
                f"{self.type_name} compares outputs of shape {output} with targets of shape {target} "
                f"({target_dtype}); expected signs of the same shape, or one class id per row"
            )
        elif classes is not None and classes > output[-1]:
            raise BuildError(
                f"the network ends with {output[-1]} units, but the data have {classes} classes; "
                f"end with {{type: dense, units: {classes}}}"
            )

    def check_targets(self, targets: Targets, output: Shape) -> None:
        one_each = output in (targets.shape, (*targets.shape, 1))
        if targets.form not in (("yes_no", "signs", "one_hot") if one_each else ("ids", "yes_no")):
            raise BuildError(
                f"{self.type_name} takes −1 and 1, or 0 and 1, or a class id for each row of outputs, got numbers from "
                f"{targets.low:g} to {targets.high:g}; use mean_squared_error for values"
            )
        if not one_each and (targets.low < 0 or targets.high >= output[-1]):
            raise BuildError(
                f"{self.type_name} takes class ids from 0 to {output[-1] - 1} for {output[-1]} units, got "
                f"{targets.low:g} to {targets.high:g}; end with a unit for each class"
            )

    def check_activation(self, last: Activation | None) -> None:
        if last is not None and (last.range[0] > -1 or last.range[1] < 1):
            raise BuildError(
                f"{self.type_name} takes scores on both sides of its margin, from −1 to 1, got outputs of "
                f"{last.type_name}; leave the last activation out, or end with tanh"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        return super().forward(z, y, self._signs(target, y), weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        super().backward(z, y, self._signs(target, y), weight, dz)

    def _signs(self, target: Array, y: Array) -> Array:
        """+1 for yes (or the row's class), −1 for no (or the other classes)."""
        signs = self.scratch("signs", y.shape, y.dtype)
        if target.size == y.size:
            np.greater(target.reshape(y.shape), 0, out=signs)
            np.multiply(signs, 2, out=signs)
            np.subtract(signs, 1, out=signs)
            return signs
        ids, rows = target.reshape(-1), signs.reshape(-1, y.shape[-1])
        if ids.min() < 0 or ids.max() >= y.shape[-1]:
            raise DataError(f"class ids {ids.min()} … {ids.max()} in the targets; expected 0 … {y.shape[-1] - 1}")
        rows[...] = -1
        rows[np.arange(len(ids)), ids] = 1
        return signs

    @staticmethod
    def margin(y: Array, t: Array, out: Array) -> None:
        """Write max(0, 1 − t y)."""
        np.multiply(y, t, out=out)
        np.subtract(1, out, out=out)
        np.maximum(out, 0, out=out)


@loss("hinge", "hinge_loss")
class Hinge(Margin):
    """Distance from the right side of the margin.

    L = 1/(N K) Σ max(0, 1 − t y)          dy = −t / (N K) where t y < 1, else 0          y (N, K)
    Targets t are ±1, or 0 and 1 (0 stands for −1), of y's shape; or class ids (N,), which stand for +1
    at the class and −1 elsewhere (one against the rest). Outputs are scores, yes above 0.
    Cortes & Vapnik 1995, doi:10.1007/BF00994018
    """

    examples = [
        {"output": (3,), "target": "signs"},
        {"output": (1,), "target": "binary"},
        {"output": (2, 3), "target": "classes"},
    ]

    def values(self, y: Array, t: Array, out: Array) -> None:
        self.margin(y, t, out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        self.margin(y, t, out)
        np.sign(out, out=out)
        np.multiply(out, t, out=out)
        np.negative(out, out=out)
