from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array, Shape, matrix
from backprop_cli.engine.layer import Initializer, Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("rms_norm", "rms_normalization", "rmsnorm")
class RMSNorm(Layer):
    """Each row (the last axis) divided by its root mean square, then scaled by what is learnt.

    y = γ x̂,  x̂ = x / √(mean x² + ε)          x, y (N, ..., F)   γ (F,)
    dγ = Σ dy x̂    dx = (g − x̂ mean(g x̂)) / √(mean x² + ε),  g = γ dy
    ε = 1e-6 as in Keras. Zhang & Sennrich 2019, arXiv:1910.07467
    """

    listed_under = "Normalization"

    epsilon: Annotated[float, Gt(0), Doc("added under the root, against division by 0")] = 1e-6
    gamma_initializer: Annotated[Initializer, Doc("first values of the scale γ")] = "ones"

    normalizes = True
    acts_as = "linear"

    gamma: Array = slot()
    dgamma: Array = slot()
    inverse: Array = slot()
    moment: Array = slot()
    tile: Array = slot()
    scratch: Array = slot()

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"epsilon": 0.1}, "inputs": [(3, 2)]},
        {"options": {}, "inputs": [(2, 2, 3)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if shape[-1] == 1:
            raise BuildError(
                f"{self.type_name} would divide each number of {shape} by itself, which leaves its sign alone; "
                "normalise rows of more than one number, or leave it out"
            )
        self.parameter("gamma", shape[-1:], self.gamma_initializer, decay=False)
        self.workspace("inverse", (*shape[:-1], 1))
        self.workspace("moment", (*shape[:-1], 1), temporary=True)
        self.workspace("tile", (int(np.prod(shape[:-1])), shape[-1]), per_sample=False, temporary=True)
        self.workspace("scratch", shape, temporary=True)
        return shape

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.rms_norm(matrix(x), matrix(y), self.gamma, matrix(self.inverse), self.epsilon)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        mean = graph.add("ReduceMean", graph.add("Mul", x, x), axes=[-1], keepdims=1)
        root = graph.add("Sqrt", graph.add("Add", mean, self.epsilon))
        return graph.add("Mul", graph.add("Div", x, root), self.gamma)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        x, dy, scratch, inverse, moment = (matrix(array) for array in (x, dy, self.scratch, self.inverse, self.moment))
        self.kernels.rms_norm_gradient(
            x,
            dy,
            None if dx is None else matrix(dx),
            self.gamma,
            inverse,
            self.dgamma,
            self.tile,
            scratch,
            moment,
        )

    def flops(self, *shapes: Shape) -> int:
        return 4 * int(np.prod(shapes[0]))
