from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("log_softmax")
class LogSoftmax(Activation):
    """Logarithm of the softmax of the last axis.

    y_i = x_i − log Σ_j e^(x_j)          dx = dy − e^y Σ_j dy_j
    The largest x is subtracted first, so e can overflow nowhere. For a cross-entropy end with softmax
    instead, which the loss fuses.
    """

    in_place = True
    shares_row = True
    highest = 0.0

    row: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(3, 2)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("row", (*shapes[0][:-1], 1), temporary=True)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.max(x, axis=-1, keepdims=True, out=self.row)
        np.subtract(x, self.row, out=y)
        np.exp(y, out=self.part)
        np.sum(self.part, axis=-1, keepdims=True, out=self.row)
        np.log(self.row, out=self.row)
        np.subtract(y, self.row, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("LogSoftmax", x, axis=-1)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.sum(dy, axis=-1, keepdims=True, out=self.row)
            np.exp(y, out=self.part)
            np.multiply(self.part, self.row, out=self.part)
            np.subtract(dy, self.part, out=dx)
