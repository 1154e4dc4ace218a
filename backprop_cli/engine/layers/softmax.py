from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("softmax")
class Softmax(Activation):
    """Exponentials of the last axis, normalised to sum to one.

    y_i = e^(x_i − max x) / Σ_j e^(x_j − max x)          dx = y ⊙ (dy − Σ_j dy_j y_j)
    The largest x is subtracted first, so e can overflow nowhere. Bridle 1990, doi:10.1007/978-3-642-76153-9_28
    """

    in_place = True
    shares_row = True
    lowest = 0.0
    highest = 1.0
    takes_logits = True
    distribution = True

    row: Array = slot()
    product: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(3, 2)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("row", (*shapes[0][:-1], 1), temporary=True)
        self.workspace("product", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        width = x.shape[-1]
        self.kernels.softmax(x.reshape(-1, width), y.reshape(-1, width), self.row.reshape(-1, 1))

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Softmax", x, axis=-1)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.multiply(dy, y, out=self.product)
            np.sum(self.product, axis=-1, keepdims=True, out=self.row)
            np.subtract(dy, self.row, out=dx)
            np.multiply(dx, y, out=dx)

    def inverse(self, y: Array, x: Array) -> None:
        """Write x with softmax(x) = y: log y, kept finite at 0."""
        np.log(np.maximum(y, np.finfo(y.dtype).tiny), out=x)
