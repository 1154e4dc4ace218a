from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.onnx import OnnxGraph


@layer("multiply")
class Multiply(Merge):
    """Elementwise product of its inputs.

    y = x₁ ⊙ x₂ ⊙ …          dxᵢ = dy ⊙ the product of the other inputs
    """

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 1), (2, 1), (2, 1)]}]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        np.multiply(x[0], x[1], out=y)
        for more in x[2:]:
            np.multiply(y, more, out=y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return reduce(lambda a, b: graph.add("Mul", a, b), x)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        for i, gradient in enumerate(dx):
            if gradient is None:
                continue
            others = [source for j, source in enumerate(x) if j != i]
            np.multiply(dy, others[0], out=gradient)
            for other in others[1:]:
                np.multiply(gradient, other, out=gradient)
