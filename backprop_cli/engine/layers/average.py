from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import layer
from backprop_cli.engine.merge import Merge
from backprop_cli.onnx import OnnxGraph


@layer("average")
class Average(Merge):
    """Elementwise mean of its k inputs.

    y = (x₁ + x₂ + …)/k          dxᵢ = dy/k
    """

    keeps_linear = True

    examples = [{"options": {}, "inputs": [(3,), (3,)]}, {"options": {}, "inputs": [(2, 1), (2, 1), (2, 1)]}]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        np.add(x[0], x[1], out=y)
        for more in x[2:]:
            np.add(y, more, out=y)
        np.multiply(y, 1 / len(x), out=y)

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return graph.add("Mean", *x)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        for gradient in dx:
            if gradient is not None:
                np.multiply(dy, 1 / len(x), out=gradient)
