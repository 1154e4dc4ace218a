from __future__ import annotations

import math
from typing import Annotated

import numpy as np
from annotated_types import Ge, MinLen

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("reshape")
class Reshape(Layer):
    """The same numbers in another shape; one axis may be -1 and is then worked out.

    y = x as (N, *shape)          dx = dy as x's shape
    """

    listed_under = "Shape"

    shape: Annotated[
        list[Annotated[int, Ge(-1)]], MinLen(1), Doc("of one example afterwards; one −1 is worked out from the rest")
    ]

    view = True
    passes_mask = False

    examples = [
        {"options": {"shape": [3, 2]}, "inputs": [(6,)]},
        {"options": {"shape": [-1]}, "inputs": [(2, 2)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        size = math.prod(shapes[0])
        known = math.prod(n for n in self.shape if n != -1)
        unknown = self.shape.count(-1)
        if unknown > 1 or known == 0 or (size % known if unknown else size != known):
            raise BuildError(f"cannot reshape {shapes[0]} ({size} numbers) to {tuple(self.shape)}")
        return tuple(size // known if n == -1 else n for n in self.shape)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Reshape", x, np.array([0, *self.shape]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx, dy.reshape(dx.shape))
