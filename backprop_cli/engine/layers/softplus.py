from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("softplus")
class Softplus(Activation):
    """A smooth ReLU.

    y = log(1 + eˣ) = max(x, 0) + log(1 + e^−|x|)          dx = dy ⊙ σ(x) = dy ⊙ (1 − e⁻ʸ)
    Dugas et al. 2001, NIPS 13
    """

    in_place = True
    lowest = 0.0

    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.abs(x, out=self.part)
        np.negative(self.part, out=self.part)
        np.exp(self.part, out=self.part)
        np.log1p(self.part, out=self.part)
        np.maximum(x, 0, out=y)
        np.add(y, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Softplus", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.negative(y, out=self.part)
            np.expm1(self.part, out=self.part)
            np.multiply(dy, self.part, out=dx)
            np.negative(dx, out=dx)
