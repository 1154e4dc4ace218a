from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("hard_sigmoid")
class HardSigmoid(Activation):
    """A sigmoid of three straight pieces.

    y = clip(x/6 + ½, 0, 1)          dx = dy/6 where 0 < y < 1, else 0
    The slope 1/6 is that of Keras 3 and PyTorch (Keras 2 had 1/5).
    """

    in_place = True
    lowest = 0.0
    highest = 1.0

    inside: Array = slot()
    below: Array = slot()

    examples = [{"options": {}, "inputs": [(12,)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("inside", shapes[0], bool, temporary=True)
        self.workspace("below", shapes[0], bool, temporary=True)
        return shapes[0]

    def flat(self, y: Array) -> Array:
        return np.asarray((y <= 0) | (y >= 1))

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.multiply(x, 1 / 6, out=y)
        np.add(y, 0.5, out=y)
        np.clip(y, 0, 1, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("HardSigmoid", x, alpha=1 / 6, beta=0.5)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.greater(y, 0, out=self.inside)
            np.less(y, 1, out=self.below)
            np.logical_and(self.inside, self.below, out=self.inside)
            np.multiply(dy, self.inside, out=dx)
            np.multiply(dx, 1 / 6, out=dx)
