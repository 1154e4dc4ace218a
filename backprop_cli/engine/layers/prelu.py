from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@activation("prelu")
class PReLU(Activation):
    """Leaky rectified linear unit whose slope is learned, one for each entry of the last axis.

    y = x where x > 0, else α ⊙ x          α (C,)   x, y (..., C)
    dx = dy where x > 0, else α ⊙ dy          dα = Σ dy ⊙ min(x, 0)
    He et al. 2015, arXiv:1502.01852. α begins at `init` and does not decay.
    """

    initializer = "he_normal"

    init: Annotated[float, Doc("first value of the slope")] = 0.25

    alpha: Array = slot()
    dalpha: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(2, 3, 2)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.parameter("alpha", shapes[0][-1:], {"type": "constant", "value": self.init}, decay=False)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.minimum(x, 0, out=self.part)
        np.multiply(self.part, self.alpha, out=self.part)
        np.maximum(x, 0, out=y)
        np.add(y, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("PRelu", x, self.alpha)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        np.minimum(x, 0, out=self.part)
        np.multiply(self.part, dy, out=self.part)
        np.sum(self.part.reshape(-1, x.shape[-1]), axis=0, out=self.dalpha)
        if dx is not None:
            np.greater(x, 0, out=self.part)
            np.multiply(self.part, 1 - self.alpha, out=self.part)
            np.add(self.part, self.alpha, out=self.part)
            np.multiply(dy, self.part, out=dx)
