from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("silu", "swish")
class SiLU(Activation):
    """Sigmoid linear unit.

    y = x σ(x)          dx = dy ⊙ σ(x) (1 + x (1 − σ(x)))
    Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941
    """

    lowest = -0.279
    initializer = "he_normal"

    sigmoid: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("sigmoid", shapes[0], temporary=True)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self._sigmoid(x)
        np.multiply(x, self.sigmoid, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Mul", x, graph.add("Sigmoid", x))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self._sigmoid(x)
            np.subtract(1, self.sigmoid, out=self.part)
            np.multiply(self.part, x, out=self.part)
            np.add(self.part, 1, out=self.part)
            np.multiply(self.part, self.sigmoid, out=self.part)
            np.multiply(dy, self.part, out=dx)

    def _sigmoid(self, x: Array) -> None:
        np.multiply(x, 0.5, out=self.sigmoid)
        np.tanh(self.sigmoid, out=self.sigmoid)
        np.multiply(self.sigmoid, 0.5, out=self.sigmoid)
        np.add(self.sigmoid, 0.5, out=self.sigmoid)
