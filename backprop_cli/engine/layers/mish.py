from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot

FLAT = 20.0  # beyond, tanh(softplus x) is 1 in float64, and e^(2x) still fits float32


@activation("mish")
class Mish(Activation):
    """A smooth, non-monotonic ReLU.

    y = x tanh(log(1 + eˣ)) = x n/w,  e = eˣ, n = e (e + 2), w = n + 2
    dx = dy ⊙ (n/w + x · 4 e (e + 1)/w²)
    Misra 2019, arXiv:1908.08681
    """

    lowest = -0.309
    initializer = "he_normal"

    e: Array = slot()
    w: Array = slot()
    part: Array = slot()
    slope: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        for name in ("e", "w", "part", "slope"):
            self.workspace(name, shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self._share(x)
        np.multiply(x, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Mul", x, graph.add("Tanh", graph.add("Softplus", x)))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self._share(x)
            np.add(self.e, 1, out=self.slope)
            np.multiply(self.slope, self.e, out=self.slope)
            np.divide(self.slope, self.w, out=self.slope)
            np.divide(self.slope, self.w, out=self.slope)  # twice, as w² could overflow
            np.multiply(self.slope, 4, out=self.slope)
            np.minimum(x, FLAT, out=self.e)  # beyond, the term is 0; it would be x times what is left of e/w²
            np.multiply(self.slope, self.e, out=self.slope)
            np.add(self.slope, self.part, out=self.slope)
            np.multiply(dy, self.slope, out=dx)

    def _share(self, x: Array) -> None:
        """part = n/w = tanh(softplus x)."""
        np.minimum(x, FLAT, out=self.e)
        np.exp(self.e, out=self.e)
        np.add(self.e, 2, out=self.part)
        np.multiply(self.part, self.e, out=self.part)
        np.add(self.part, 2, out=self.w)
        np.divide(self.part, self.w, out=self.part)
