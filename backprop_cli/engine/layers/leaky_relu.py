from __future__ import annotations

from typing import Annotated

from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@activation("leaky_relu")
class LeakyReLU(Activation):
    """Leaky rectified linear unit.

    y = x where x > 0, else α x          dx = dy where y > 0, else α dy
    Maas, Hannun & Ng 2013, ICML. α = 0.01, as in PyTorch.
    """

    negative_slope: Annotated[float, Interval(ge=0, lt=1), Doc("slope where x < 0")] = 0.01

    in_place = True
    initializer = "he_normal"

    slope: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {"negative_slope": 0.3}, "inputs": [(2, 3)]}]

    @property
    def range(self) -> tuple[float, float]:
        return (self.lowest if self.negative_slope else 0.0), self.highest

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("slope", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.leaky_relu(x, y, self.negative_slope, self.slope)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("LeakyRelu", x, alpha=float(self.negative_slope))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self.kernels.leaky_relu_gradient(y, dy, dx, self.negative_slope, self.slope)
