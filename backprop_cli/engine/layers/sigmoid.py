from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("sigmoid", "logistic")
class Sigmoid(Activation):
    """Logistic function.

    y = 1 / (1 + e⁻ˣ) = (1 + tanh(x/2)) / 2          dx = dy ⊙ y (1 − y)
    The form with tanh cannot overflow.
    """

    in_place = True
    lowest = 0.0
    highest = 1.0
    takes_logits = True

    slope: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("slope", shapes[0], temporary=True)
        return shapes[0]

    def flat(self, y: Array) -> Array:
        return np.asarray(np.abs(y - 0.5) > 0.4899)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.sigmoid(x, y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Sigmoid", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self.kernels.sigmoid_gradient(y, dy, dx, self.slope)

    def inverse(self, y: Array, x: Array) -> None:
        """Write x with sigmoid(x) = y: log(y / (1 − y)), kept finite at 0 and 1."""
        tiny = np.finfo(y.dtype).tiny
        x[...] = np.log(np.maximum(y, tiny)) - np.log(np.maximum(1 - y, tiny))
