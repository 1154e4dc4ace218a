from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot

SCALE, ALPHA = 1.0507009873554805, 1.6732632423543772


@activation("selu")
class SELU(Activation):
    """Scaled exponential linear unit: keeps mean 0 and variance 1 from layer to layer, with lecun_normal kernels.

    y = λ x where x > 0, else λ α (eˣ − 1)          dx = λ dy where y > 0, else dy ⊙ (y + λ α)
    λ = 1.0507…, α = 1.6733… . Klambauer et al. 2017, arXiv:1706.02515
    """

    in_place = True
    lowest = -1.7581
    initializer = "lecun_normal"

    part: Array = slot()
    step: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("part", shapes[0], temporary=True)
        self.workspace("step", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.minimum(x, 0, out=self.part)
        np.expm1(self.part, out=self.part)
        np.multiply(self.part, SCALE * ALPHA, out=self.part)
        np.maximum(x, 0, out=y)
        np.multiply(y, SCALE, out=y)
        np.add(y, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Selu", x, alpha=ALPHA, gamma=SCALE)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.minimum(y, 0, out=self.part)
            np.add(self.part, SCALE * ALPHA, out=self.part)
            np.greater(y, 0, out=self.step)
            np.multiply(self.step, SCALE - SCALE * ALPHA, out=self.step)
            np.add(self.part, self.step, out=self.part)
            np.multiply(dy, self.part, out=dx)
