from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.transform import Transform, as_float, transform
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("scale", "rescaling")
class Scale(Transform):
    """x ↦ by · x + offset, elementwise; the defaults take bytes (0 … 255) to [0, 1].

    x (N, …) ↦ (N, …) floats   y as it is
    """

    in_place: ClassVar[bool] = True

    by: Annotated[float, Doc("factor; 1/255 takes bytes to [0, 1]")] = 1 / 255
    offset: Annotated[float, Doc("added after the factor")] = 0.0

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        y = graph.add("Mul", x, float(self.by))
        return graph.add("Add", y, float(self.offset)) if self.offset else y

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        np.multiply(as_float(x, out), self.by, out=out)
        if self.offset:
            np.add(out, self.offset, out=out)
        return y
