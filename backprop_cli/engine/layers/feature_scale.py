from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("feature_scale")
class FeatureScale(Layer):
    """Each feature times a learnt number, which lets training find out which features count.

    y = s ⊙ x          s (C,), 1 to begin with   x, y (..., C)
    ds = Σ dy ⊙ x    dx = s ⊙ dy
    Useful with a learning rate of its own, some times the others'. The front scaling of RealMLP, arXiv:2407.04491
    """

    listed_under = "Normalization"

    keeps_linear = True

    s: Array = slot()
    ds: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(2, 3)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.parameter("s", shapes[0][-1:], {"type": "constant", "value": 1.0}, decay=False)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.multiply(x, self.s, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Mul", x, self.s)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        np.multiply(dy, x, out=self.part)
        np.sum(self.part.reshape(-1, x.shape[-1]), axis=0, out=self.ds)
        if dx is not None:
            np.multiply(dy, self.s, out=dx)

    def flops(self, *shapes: Shape) -> int:
        return int(np.prod(shapes[0]))
