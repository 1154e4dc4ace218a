from __future__ import annotations

from collections.abc import Sequence

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.onnx import OnnxGraph


@layer("add")
class Add(Merge):
    """Elementwise sum of its inputs.

    y = x₁ + x₂ + …          dxᵢ = dy
    """

    keeps_linear = True

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 1), (2, 1), (2, 1)]}]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        self.kernels.add(x[0], x[1], y)
        for more in x[2:]:
            self.kernels.add(y, more, y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return graph.add("Sum", *x)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        for gradient in dx:
            if gradient is not None:
                self.kernels.copy(dy, gradient)
