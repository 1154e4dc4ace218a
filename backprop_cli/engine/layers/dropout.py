from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("dropout")
class Dropout(Layer):
    """Each number is zeroed with probability `rate` while training, the rest scaled up (inverted dropout).

    y = x ⊙ m / (1 − rate),  m ~ Bernoulli(1 − rate)          y = x in inference
    dx = dy ⊙ m / (1 − rate)
    Srivastava et al. 2014, JMLR 15:1929
    """

    listed_under = "Noise and dropout"

    rate: Annotated[
        float,
        Interval(ge=0, lt=1),
        Doc("share of the entries set to 0 while training; the rest grow by 1 / (1 − rate)"),
    ]

    in_place = True
    stochastic = True
    keeps_linear = True

    noise: Array = slot()
    training: bool = slot()

    examples = [{"options": {"rate": 0.5}, "inputs": [(4,)]}, {"options": {"rate": 0.0}, "inputs": [(2, 3)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("noise", shapes[0])
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        self.training = training
        if not training or self.rate == 0:
            if y is not x:
                np.copyto(y, x)
            return
        keep = 1 - self.rate
        self.rng.random(out=self.noise, dtype=self.noise.dtype)
        np.less(self.noise, keep, out=self.noise)
        np.multiply(self.noise, 1 / keep, out=self.noise)
        np.multiply(x, self.noise, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return x

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        if self.training and self.rate:
            np.multiply(dy, self.noise, out=dx)
        elif dx is not dy:
            np.copyto(dx, dy)
