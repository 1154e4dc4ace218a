from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import MinLen

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, PositiveInt, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("permute")
class Permute(Layer):
    """The axes of an example in another order, counted from 1 (0 is the batch), as Keras does.

    dims [2, 1]: y[n, j, i] = x[n, i, j]          dx = dy with the axes put back
    """

    listed_under = "Shape"

    dims: Annotated[list[PositiveInt], MinLen(1), Doc("the axes of x in their new order, counted from 1")]

    passes_mask = False
    keeps_linear = True

    examples = [
        {"options": {"dims": [2, 1]}, "inputs": [(3, 2)]},
        {"options": {"dims": [3, 1, 2]}, "inputs": [(2, 1, 3)]},
    ]

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if sorted(self.dims) != list(range(1, len(shape) + 1)):
            raise BuildError(f"dims {self.dims} must hold each axis of {shape} once: the numbers 1 to {len(shape)}")
        return tuple(shape[axis - 1] for axis in self.dims)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x.transpose(0, *self.dims))

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Transpose", x, perm=[0, *self.dims])

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx.transpose(0, *self.dims), dy)
