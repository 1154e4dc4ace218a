from __future__ import annotations

from typing import ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.transform import Transform, as_float, transform
from backprop_cli.errors import DataError
from backprop_cli.onnx import OnnxGraph


@transform("log1p")
class Log1p(Transform):
    """x ↦ log(1 + x), for counts and amounts over several orders of magnitude.

    x (N, …) ↦ (N, …) floats   y as it is
    Raises DataError for values ≤ −1, which have no logarithm.
    """

    in_place: ClassVar[bool] = True

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Log", graph.add("Add", x, 1.0))

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        if x.min() <= -1:
            raise DataError(f"transform log1p: {x.min()} in x; expected values above -1; use standardize instead")
        np.log1p(as_float(x, out), out=out)
        return y
