from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation, NonNegative, activation
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@activation("elu")
class ELU(Activation):
    """Exponential linear unit.

    y = x where x > 0, else α (eˣ − 1)          dx = dy where y > 0, else dy ⊙ (y + α)
    Clevert, Unterthiner & Hochreiter 2016, arXiv:1511.07289
    """

    alpha: Annotated[NonNegative, Doc("−alpha is the limit for large negative x")] = 1.0

    in_place = True
    initializer = "he_normal"

    part: Array = slot()
    step: Array = slot()

    examples = [{"options": {}, "inputs": [(4,)]}, {"options": {"alpha": 2.5}, "inputs": [(2, 3)]}]

    @property
    def range(self) -> tuple[float, float]:
        return -self.alpha, self.highest

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("part", shapes[0], temporary=True)
        self.workspace("step", shapes[0], temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.minimum(x, 0, out=self.part)
        np.expm1(self.part, out=self.part)
        np.multiply(self.part, self.alpha, out=self.part)
        np.maximum(x, 0, out=y)
        np.add(y, self.part, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Elu", x, alpha=float(self.alpha))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.minimum(y, 0, out=self.part)
            np.add(self.part, self.alpha, out=self.part)
            if self.alpha != 1:
                np.greater(y, 0, out=self.step)
                np.multiply(self.step, 1 - self.alpha, out=self.step)
                np.add(self.part, self.step, out=self.part)
            np.multiply(dy, self.part, out=dx)
