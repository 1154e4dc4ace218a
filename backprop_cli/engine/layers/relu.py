from __future__ import annotations

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("relu")
class ReLU(Activation):
    """Rectified linear unit.

    y = max(0, x)          dx = dy where y > 0, else 0 (the derivative at 0 is taken as 0)
    Nair & Hinton 2010, ICML
    """

    in_place = True
    lowest = 0.0
    dies = True
    adds_bias = True
    initializer = "he_normal"

    positive: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("positive", shapes[0], bool, temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.relu(x, y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Relu", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self.kernels.relu_gradient(y, dy, dx, self.positive)
