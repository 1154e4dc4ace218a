from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@activation("hard_swish", "hard_silu")
class HardSwish(Activation):
    """SiLU with the hard sigmoid.

    y = x h,  h = clip(x/6 + ½, 0, 1)          dx = dy ⊙ (h + x/6 where 0 < h < 1)
    Howard et al. 2019, arXiv:1905.02244
    """

    lowest = -0.375
    initializer = "he_normal"

    share: Array = slot()
    part: Array = slot()

    examples = [{"options": {}, "inputs": [(12,)]}, {"options": {}, "inputs": [(2, 1)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("share", shapes[0], temporary=True)
        self.workspace("part", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self._share(x)
        np.multiply(x, self.share, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("HardSwish", x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            self._share(x)
            np.subtract(1, self.share, out=self.part)
            np.multiply(self.part, self.share, out=self.part)
            np.sign(self.part, out=self.part)  # 1 between the corners, 0 beyond
            np.multiply(self.part, x, out=self.part)
            np.multiply(self.part, 1 / 6, out=self.part)
            np.add(self.part, self.share, out=self.part)
            np.multiply(dy, self.part, out=dx)

    def _share(self, x: Array) -> None:
        np.multiply(x, 1 / 6, out=self.share)
        np.add(self.share, 0.5, out=self.share)
        np.clip(self.share, 0, 1, out=self.share)
