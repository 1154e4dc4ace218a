from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("tanh")
class Tanh(Activation):
    """Hyperbolic tangent.

    y = tanh x          dx = dy ⊙ (1 − y²)
    """

    in_place = True
    lowest = -1.0
    highest = 1.0

    slope: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("slope", shapes[0], temporary=True)
        return shapes[0]

    def flat(self, y: Array) -> Array:
        return np.asarray(np.abs(y) > 0.98)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.tanh(x, y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Tanh", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self.kernels.tanh_gradient(y, dy, dx, self.slope)
