from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("maximum")
class Maximum(Merge):
    """Elementwise maximum of its inputs.

    y = max(x₁, x₂, …)          dxᵢ = dy where xᵢ is the first to equal y, else 0
    """

    first: Array = slot()
    free: Array = slot()

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 1), (2, 1), (2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        shape = super().build(*shapes)
        self.workspace("first", shape, bool, temporary=True)
        self.workspace("free", shape, bool, temporary=True)
        return shape

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        np.maximum(x[0], x[1], out=y)
        for more in x[2:]:
            np.maximum(y, more, out=y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return graph.add("Max", *x)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        self.free[...] = True
        for source, gradient in zip(x, dx, strict=True):
            np.equal(source, y, out=self.first)
            np.logical_and(self.first, self.free, out=self.first)
            if gradient is not None:
                np.multiply(dy, self.first, out=gradient)
            np.logical_not(self.first, out=self.first)
            np.logical_and(self.free, self.first, out=self.free)
