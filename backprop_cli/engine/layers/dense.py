from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import ActivationOption, Initializer, Layer, PositiveInt, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("dense", "Linear")
class Dense(Layer):
    """Affine map of the last axis, then an optional activation.

    y = f(z),  z = x W + b          x (..., I)   W (I, O)   b (O,)   y (..., O)
    δ = dy ⊙ f'(z)    dW = xᵀ δ    db = Σ δ    dx = δ Wᵀ
    Rumelhart, Hinton & Williams 1986, doi:10.1038/323533a0
    """

    listed_under = "Dense and embedding"

    units: Annotated[PositiveInt, Doc("size of the last axis of y")]
    activation: Annotated[ActivationOption | None, Doc("f, applied to the sums; by default none")] = None
    bias: Annotated[bool, Doc("add a trained offset b to every unit")] = True
    kernel_initializer: Annotated[Initializer, Doc("first values of W")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Doc("first values of b")] = "zeros"

    W: Array = slot()
    b: Array = slot()
    dW: Array = slot()
    db: Array = slot()
    z: Array = slot()

    examples = [
        {"options": {"units": 3}, "inputs": [(4,)]},
        {"options": {"units": 1, "bias": False, "activation": "tanh"}, "inputs": [(3, 2)]},
        {"options": {"units": 5, "activation": "softmax"}, "inputs": [(1,)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        y = (*shape[:-1], self.units)
        self.parameter("W", (shape[-1], self.units), self.kernel_initializer)
        if self.bias:
            self.parameter("b", (self.units,), self.bias_initializer, decay=False)
        if self.activation is not None:
            self.activation.build(y)
            if not self.activation.in_place:
                self.workspace("z", y)
        return y

    @property
    def needs_output(self) -> bool:
        return self.activation is not None and self.activation.needs_output

    def forward(self, x: Array, y: Array, training: bool) -> None:
        z = y if self.activation is None or self.activation.in_place else self.z
        rows, inputs = _rows(z), _rows(x)
        self.kernels.matmul(inputs, self.W, rows)
        if self.bias and self.activation is not None and self.activation.adds_bias:
            self.kernels.add_bias_relu(rows, self.b)
            return
        if self.bias:
            self.kernels.add_bias(rows, self.b)
        if self.activation is not None:
            self.activation.forward(z, y, training)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        z = graph.add("MatMul", x, self.W)
        if self.bias:
            z = graph.add("Add", z, self.b)
        return z if self.activation is None else str(self.activation.onnx(graph, z))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        inputs, delta = _rows(x), _rows(dy)
        if self.bias and self.activation is not None and self.activation.adds_bias:
            self.kernels.bias_relu_gradient(_rows(y), delta, self.db, _rows(self.activation.positive))
        else:
            if self.activation is not None:
                self.activation.backward(y if self.activation.in_place else self.z, y, dy, dy)
            if self.bias:
                self.kernels.bias_gradient(delta, self.db)
        self.kernels.matmul(inputs.T, delta, self.dW)
        if dx is not None:
            self.kernels.matmul(delta, self.W.T, _rows(dx))

    def flops(self, *shapes: Shape) -> int:
        (shape,) = shapes
        return 2 * int(np.prod(shape)) * self.units


def _rows(a: Array) -> Array:
    """(..., K) as (rows, K)."""
    return a if a.ndim == 2 else a.reshape(-1, a.shape[-1])
