from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.recurrent import Recurrent
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("rnn", "simple_rnn")
class RNN(Recurrent):
    """Plain recurrent layer.

    h_t = f(x_t W + h_{t−1} U + b),  h_0 = 0 or trained,  f = tanh or relu
    x (N, T, F)   W (F, H)   U (H, H)   b (H,)   y = h_T (N, H), or every h_t (N, T, H) with return_sequences
    Back through time:  δ_t = (dh_t + δ_{t+1} Uᵀ) ⊙ f'(h_t)
    dW = Σ_t x_tᵀ δ_t    dU = Σ_t h_{t−1}ᵀ δ_t    db = Σ δ_t    dx_t = δ_t Wᵀ
    Steps that the mask leaves out keep h as it was. go_backwards reads from T to 1, y stays aligned with x.
    Elman 1990, doi:10.1207/s15516709cog1402_1; Werbos 1990, doi:10.1109/5.58337
    """

    activation: Annotated[Literal["tanh", "relu"], Doc("f, applied to the sums at every step")] = "tanh"

    work: Array = slot()

    examples = [
        {"options": {"units": 3}, "inputs": [(4, 2)]},
        {"options": {"units": 2, "return_sequences": True, "activation": "relu"}, "inputs": [(3, 2)]},
        {"options": {"units": 1, "go_backwards": True, "bias": False}, "inputs": [(1, 1)]},
        {"options": {"units": 2, "return_sequences": True, "go_backwards": True}, "inputs": [(3, 1)], "padded": True},
        {"options": {"units": 2}, "inputs": [(3, 2)], "padded": True},
        {"options": {"units": 2, "initial_state": "learned"}, "inputs": [(3, 2)]},
        {"options": {"units": 1, "initial_state": "learned"}, "inputs": [(2, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("work", (self.units,), temporary=True)
        return super().build(*shapes)

    def step(self, t: int) -> None:
        h = self.h[t + 1]
        self.kernels.matmul(self.h[t], self.U, h)
        np.add(h, self.z[t], out=h)
        if self.activation == "tanh":
            np.tanh(h, out=h)
        else:
            np.maximum(h, 0, out=h)

    def onnx_form(self) -> tuple[str, list[int], dict[str, Any]]:
        return "RNN", [0], {"activations": [self.activation.title()]}

    def onnx_step(self, graph: OnnxGraph, z: str, *states: str) -> list[str]:
        total = graph.add("Add", z, graph.add("MatMul", states[0], self.U))
        return [graph.add(self.activation.title(), total)]

    def step_back(self, t: int) -> None:
        h, dh = self.h[t + 1], self.carry[0]
        if self.activation == "tanh":
            np.multiply(h, h, out=self.work)
            np.subtract(1, self.work, out=self.work)
        else:
            np.greater(h, 0, out=self.work)
        np.multiply(dh, self.work, out=self.z[t])
        if t or self.learns_start:
            self.kernels.matmul(self.z[t], self.turned, dh)
