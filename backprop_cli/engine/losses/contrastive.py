from __future__ import annotations

import math
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.losses.base import Elementwise, loss
from backprop_cli.engine.targets import Targets
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@loss("contrastive", "contrastive_loss")
class Contrastive(Elementwise):
    """Pulls pairs of one kind together, and pushes others apart up to a margin m.

    L = 1/(N K) Σ ½ ((1 − t) y² + t max(0, m − y)²)          dy = ((1 − t) y − t max(0, m − y)) / (N K)
    y are distances (N, 1), see the layer `distance`; t is 0 for two of one kind and 1 for two of different ones, as the
    transform `pairs` makes them. Above 0.5, half of the usual margin, a pair is read as different.
    Hadsell, Chopra & LeCun 2006, doi:10.1109/CVPR.2006.100
    """

    margin: Annotated[float, Gt(0), Doc("m, the distance from which different ones are far enough apart")] = 1.0

    listed_under = "Others"
    targets = "either"
    answers = "labels"
    meets_targets = False
    output_range = (0.0, math.inf)
    ends_with = "relu"

    examples = [
        {"output": (1,), "target": "binary", "activation": "softplus"},
        {"options": {"margin": 2.0}, "output": (1,), "target": "binary", "activation": "softplus"},
    ]

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        if output != (1,) or target not in ((), (1,)) or (classes or 2) != 2:
            raise BuildError(
                f"contrastive takes a distance for each pair, and 0 or 1 as its target, got outputs of shape {output} "
                f"and targets of shape {target}; put the transform pairs into dataset.transforms, and end with distance"
            )

    def check_targets(self, targets: Targets, output: Shape) -> None:
        if targets.form != "yes_no":
            raise BuildError(
                "contrastive takes 0 for two of one kind and 1 for two of different ones, got numbers from "
                f"{targets.low:g} to {targets.high:g}; put the transform pairs into dataset.transforms"
            )

    def values(self, y: Array, t: Array, out: Array) -> None:
        squares = self.scratch("squares", y.shape, y.dtype)
        np.multiply(y, y, out=squares)
        self._gap(y, out)
        np.multiply(out, out, out=out)
        np.subtract(out, squares, out=out)
        np.multiply(out, t, out=out)
        np.add(out, squares, out=out)
        np.multiply(out, 0.5, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        self._gap(y, out)
        np.add(out, y, out=out)
        np.multiply(out, t, out=out)  # t (gap + y), so that y − that is (1 − t) y − t gap
        np.subtract(y, out, out=out)

    def _gap(self, y: Array, out: Array) -> None:
        np.subtract(self.margin, y, out=out)
        np.maximum(out, 0, out=out)
