from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot

NEAR = 1e-12  # added to the square, so that the slope at 0 is 0 and not undefined


@layer("distance")
class Distance(Merge):
    """How far its two inputs are from each other: the Euclidean distance along the last axis.

    y = √(Σ (x₁ − x₂)² + 10⁻¹²)          dx₁ = dy (x₁ − x₂) / y    dx₂ = −dx₁          x (..., K)   y (..., 1)
    Between the two halves of a siamese network (`shared`), in front of the loss `contrastive`.
    """

    difference: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 4), (2, 4)]}]

    def build(self, *shapes: Shape) -> Shape:
        if len(shapes) != 2:
            raise BuildError(f"distance takes two inputs, got {len(shapes)}")
        shape = super().build(*shapes)
        self.workspace("difference", shape)
        self.workspace("part", shape, temporary=True)
        return (*shape[:-1], 1)

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        np.subtract(x[0], x[1], out=self.difference)
        np.multiply(self.difference, self.difference, out=self.part)
        np.add.reduce(self.part, axis=-1, keepdims=True, out=y)
        np.add(y, NEAR, out=y)
        np.sqrt(y, out=y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        difference = graph.add("Sub", *x)
        squares = graph.add("ReduceSum", graph.add("Mul", difference, difference), np.array([-1]), keepdims=1)
        return graph.add("Sqrt", graph.add("Add", squares, NEAR))

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        np.divide(dy, y, out=dy)
        np.multiply(self.difference, dy, out=self.part)
        if dx[0] is not None:
            np.copyto(dx[0], self.part)
        if dx[1] is not None:
            np.negative(self.part, out=dx[1])

    def flops(self, *shapes: Shape) -> int:
        return 3 * int(np.prod(shapes[0]))
