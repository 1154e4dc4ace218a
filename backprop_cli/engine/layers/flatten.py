from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.onnx import OnnxGraph


@layer("flatten")
class Flatten(Layer):
    """All axes of an example in one.

    y = x as (N, H·W·C)          x (N, H, W, C)   y (N, H·W·C)
    dx = dy as (N, H, W, C)
    """

    listed_under = "Shape"

    view = True

    examples = [{"options": {}, "inputs": [(2, 3)]}, {"options": {}, "inputs": [(1, 2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        return (math.prod(shapes[0]),)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Reshape", x, np.array([0, -1]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx, dy.reshape(dx.shape))
