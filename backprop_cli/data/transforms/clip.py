from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.transform import Transform, as_float, transform
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("clip")
class Clip(Transform):
    """x ↦ min(max(x, low), high), elementwise; a bound left out does not bound.

    x (N, …) ↦ (N, …) floats   y as it is
    """

    in_place: ClassVar[bool] = True

    low: Annotated[float | None, Doc("the smallest value left; by default there is no bound")] = None
    high: Annotated[float | None, Doc("the largest value left; by default there is no bound")] = None

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        low, high = ("" if bound is None else float(bound) for bound in (self.low, self.high))
        return graph.add("Clip", x, low, high)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        np.clip(as_float(x, out), self.low, self.high, out=out)
        return y
