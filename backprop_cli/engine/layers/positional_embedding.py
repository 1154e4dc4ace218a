from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Initializer, Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("positional_embedding", "position_embedding")
class PositionalEmbedding(Layer):
    """Adds to each step a vector that tells its position.

    y_t = x_t + W_t          x, y (N, T, F)   W (T, F)
    dx = dy    dW = Σ_n dy_n
    learned: W is trained (Gehring et al. 2017, arXiv:1705.03122).
    sinusoidal: W[t, 2i] = sin(t / 10000^(2i/F)), W[t, 2i + 1] = cos(t / 10000^(2i/F)), not trained
    (Vaswani et al. 2017, arXiv:1706.03762).
    """

    listed_under = "Sequences"

    kind: Annotated[Literal["learned", "sinusoidal"], Doc("vectors that are trained, or fixed sines and cosines")] = (
        "learned"
    )
    embeddings_initializer: Annotated[Initializer, Doc("first values of the trained vectors")] = "uniform"

    in_place = True

    W: Array = slot()
    dW: Array = slot()

    examples = [
        {"options": {}, "inputs": [(3, 2)]},
        {"options": {"kind": "sinusoidal"}, "inputs": [(2, 3)]},
        {"options": {}, "inputs": [(1, 1)]},
    ]

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) != 2:
            raise BuildError(f"positional_embedding takes sequences of shape (T, F), got {shape}")
        if self.kind == "learned":
            self.parameter("W", shape, self.embeddings_initializer)
        else:
            self.W = sinusoids(*shape)
        return shape

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if self.W.dtype != y.dtype:
            self.W = self.W.astype(y.dtype)
        np.add(x, self.W, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Add", x, self.W)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if self.kind == "learned":
            np.sum(dy, axis=0, out=self.dW)
        if dx is not None and dx is not dy:
            np.copyto(dx, dy)


def sinusoids(steps: int, features: int) -> Array:
    """(T, F) of sines in the even columns and cosines in the odd ones."""
    even = np.arange(features) // 2 * 2
    angle = np.arange(steps)[:, None] / 10000 ** (even / features)
    return np.where(np.arange(features) % 2 == 0, np.sin(angle), np.cos(angle))
