from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import Activation, activation
from backprop_cli.onnx import OnnxGraph


@activation("linear", "identity")
class Linear(Activation):
    """The identity: for naming "no activation" where one is asked for.

    y = x          dx = dy
    """

    in_place = True

    examples = [{"options": {}, "inputs": [(4,)]}]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if y is not x:
            np.copyto(y, x)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return x

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None and dx is not dy:
            np.copyto(dx, dy)
