from __future__ import annotations

import math
from typing import Annotated, Literal

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@activation("gelu")
class GELU(Activation):
    """Gaussian error linear unit.

    y = x Φ(x)          dx = dy ⊙ (Φ(x) + x φ(x)),  φ(x) = e^(−x²/2) / √(2π)
    with `approximate: tanh` instead
    y = x (1 + tanh u)/2,  u = √(2/π) (x + 0.044715 x³)
    dx = dy ⊙ ((1 + tanh u)/2 + x (1 − tanh² u)/2 · √(2/π) (1 + 3 · 0.044715 x²))
    Hendrycks & Gimpel 2016, arXiv:1606.08415
    """

    lowest = -0.17
    initializer = "he_normal"

    approximate: Annotated[Literal["none", "tanh"], Doc("`tanh` for the approximation that GPT-2 and BERT use")] = (
        "none"
    )

    share: Array = slot()  # y/x: Φ(x), or (1 + tanh u)/2
    part: Array = slot()
    other: Array = slot()
    bell: Array = slot()

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {}, "inputs": [(2, 1)]},
        {"options": {"approximate": "tanh"}, "inputs": [(2, 3)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("share", shapes[0])
        for name in ("part", "other", "bell"):
            self.workspace(name, shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.gelu(x, self.share, y, self.approximate == "tanh", self.part, self.other, self.bell)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        if self.approximate == "tanh":
            square = graph.add("Mul", graph.add("Mul", x, x), 0.044715)
            u = graph.add("Mul", graph.add("Mul", graph.add("Add", square, 1.0), x), math.sqrt(2 / math.pi))
            curve = graph.add("Tanh", u)
        else:
            curve = graph.add("Erf", graph.add("Mul", x, math.sqrt(0.5)))
        return graph.add("Mul", x, graph.add("Mul", graph.add("Add", curve, 1.0), 0.5))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            by_tanh = self.approximate == "tanh"
            self.kernels.gelu_gradient(x, self.share, dy, dx, by_tanh, self.part, self.other)
