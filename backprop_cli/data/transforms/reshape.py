from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("reshape")
class Reshape(Transform):
    """The same values in another shape: `{type: reshape, shape: [28, 28, 1]}`; one −1 is worked out.

    x (N, …) ↦ (N, *shape) of the same dtype   y as it is.  Raises BuildError for a shape of another number of values.
    """

    in_place: ClassVar[bool] = True

    shape: Annotated[list[int], Doc("of one example; one −1 is worked out from the rest")]

    def output_shape(self, shape: Shape) -> Shape:
        size, wanted = math.prod(shape), math.prod(side for side in self.shape if side != -1)
        unknown = self.shape.count(-1)
        if (
            unknown > 1
            or min(self.shape, default=1) < -1
            or wanted == 0
            or (size % wanted or (unknown == 0 and size != wanted))
        ):
            raise BuildError(f"rows of shape {shape} hold {size} values and cannot become {self.shape}", "reshape")
        return tuple(size // wanted if side == -1 else side for side in self.shape)

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        return dtype

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Reshape", x, np.array([0, *self.shape]))

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        if not np.may_share_memory(x, out):
            np.copyto(out, x.reshape(out.shape))
        return y
