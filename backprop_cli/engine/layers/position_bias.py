from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import ActivationOption, Initializer, Layer, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("position_bias")
class PositionBias(Layer):
    """A learnt offset for every number of x, then an optional activation.

    y = f(x + b)          b, x and y of one shape
    δ = dy ⊙ f'(x + b)    db = Σ δ over the examples    dx = δ
    After `conv2d` with `bias: false`: a bias at each place of a plane, as in LeCun et al. 1989,
    doi:10.1162/neco.1989.1.4.541
    """

    listed_under = "Convolution"

    activation: Annotated[ActivationOption | None, Doc("f, applied to the sums; by default none")] = None
    bias_initializer: Annotated[Initializer, Doc("first values of b")] = "zeros"

    b: Array = slot()
    db: Array = slot()
    z: Array = slot()

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"activation": "tanh"}, "inputs": [(2, 3, 2)]},
        {"options": {"activation": "softmax", "bias_initializer": "normal"}, "inputs": [(2, 3)]},
        {"options": {"activation": "gelu"}, "inputs": [(3,)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        self.parameter("b", shapes[0], self.bias_initializer, decay=False)
        if self.activation is not None:
            self.activation.build(shapes[0])
            if not self.activation.in_place:
                self.workspace("z", shapes[0])
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return self.activation is not None and self.activation.needs_output

    def forward(self, x: Array, y: Array, training: bool) -> None:
        z = y if self.activation is None or self.activation.in_place else self.z
        np.add(x, self.b, out=z)
        if self.activation is not None:
            self.activation.forward(z, y, training)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        z = graph.add("Add", x, self.b)
        return z if self.activation is None else str(self.activation.onnx(graph, z))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if self.activation is not None:
            self.activation.backward(y if self.activation.in_place else self.z, y, dy, dy)
        np.sum(dy, axis=0, out=self.db)
        if dx is not None:
            np.copyto(dx, dy)

    def flops(self, *shapes: Shape) -> int:
        return int(np.prod(shapes[0]))
