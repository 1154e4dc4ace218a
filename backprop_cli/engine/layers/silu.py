from __future__ import annotations

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("silu", "swish")
class SiLU(Activation):
    """Sigmoid linear unit.

    y = x σ(x)          dx = dy ⊙ σ(x) (1 + x (1 − σ(x)))
    Elfwing, Uchibe & Doya 2018, arXiv:1702.03118; Ramachandran et al. 2017, arXiv:1710.05941
    """

    lowest = -0.279
    initializer = "he_normal"

    share: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {}, "inputs": [(2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("share", shapes[0], temporary=True)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.kernels.silu(x, y, self.share)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Mul", x, graph.add("Sigmoid", x))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self.kernels.silu_gradient(x, dy, dx, self.share, self.part)
