from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("softsign")
class Softsign(Activation):
    """An S-curve with tails that fall like 1/|x|.

    y = x / (1 + |x|)          dx = dy ⊙ (1 − |y|)²
    Bergstra et al. 2009, Université de Montréal TR 1337
    """

    in_place = True
    lowest = -1.0
    highest = 1.0

    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    def flat(self, y: Array) -> Array:
        return np.asarray(np.abs(y) > 0.8)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.abs(x, out=self.part)
        np.add(self.part, 1, out=self.part)
        np.divide(x, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Softsign", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.abs(y, out=self.part)
            np.subtract(1, self.part, out=self.part)
            np.multiply(self.part, self.part, out=self.part)
            np.multiply(dy, self.part, out=dx)
