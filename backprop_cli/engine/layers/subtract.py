from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph


@layer("subtract")
class Subtract(Merge):
    """Elementwise difference of its two inputs.

    y = x₁ − x₂          dx₁ = dy    dx₂ = −dy
    """

    keeps_linear = True

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 1), (2, 1)]}]

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        if len(shapes) > 2:
            raise BuildError(f"subtract takes two inputs, got {len(shapes)}")
        return super().build(*shapes)

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        np.subtract(x[0], x[1], out=y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return graph.add("Sub", *x)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        if dx[0] is not None:
            np.copyto(dx[0], dy)
        if dx[1] is not None:
            np.negative(dy, out=dx[1])
