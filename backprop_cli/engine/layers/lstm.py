from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.initializers.base import InitializerBase
from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.recurrent import Recurrent
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class ForgetGateOpen(InitializerBase):
    """One in the forget gate's quarter of the bias, so that the cell remembers at first."""

    inner: Any

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        self.inner.fill(out, rng)
        units = len(out) // 4
        out[units : 2 * units] = 1


@layer("lstm")
class LSTM(Recurrent):
    """Long short-term memory.

    [i f g o]_t = [σ σ tanh σ](x_t W + h_{t−1} U + b)
    c_t = f_t ⊙ c_{t−1} + i_t ⊙ g_t    h_t = o_t ⊙ tanh c_t    h_0, c_0 = 0 or trained
    x (N, T, F)   W (F, 4H)   U (H, 4H)   b (4H,), blocks in the order i, f, g, o (that of Keras and PyTorch)
    y = h_T (N, H), or every h_t (N, T, H) with return_sequences
    Back through time, with δ the gradient of the gates' arguments:
    dc_t += dh_t ⊙ o ⊙ (1 − tanh² c_t)    dc_{t−1} = dc_t ⊙ f    dh_{t−1} = δ_t Uᵀ
    δ_i = dc ⊙ g ⊙ i(1 − i)   δ_f = dc ⊙ c_{t−1} ⊙ f(1 − f)   δ_g = dc ⊙ i ⊙ (1 − g²)   δ_o = dh ⊙ tanh c ⊙ o(1 − o)
    dW = Σ_t x_tᵀ δ_t    dU = Σ_t h_{t−1}ᵀ δ_t    db = Σ δ_t    dx_t = δ_t Wᵀ
    Steps that the mask leaves out keep h and c. go_backwards reads from T to 1, y stays aligned with x.
    Hochreiter & Schmidhuber 1997, doi:10.1162/neco.1997.9.8.1735; forget gate and its bias of 1:
    Gers, Schmidhuber & Cummins 2000, doi:10.1162/089976600300015015; Jozefowicz et al. 2015, ICML
    """

    unit_forget_bias: Annotated[
        bool,
        Doc(
            "begin with a bias of 1 at the forget gate, whatever bias_initializer, so that the cell remembers at first"
        ),
    ] = True

    gates = 4
    gates_in_z = True
    acts_as = "tanh"
    states = ("h", "c")

    c: Array = slot()
    tanh_c: Array = slot()
    work: Array = slot()
    slopes: Array = slot()

    examples = [
        {"options": {"units": 3}, "inputs": [(4, 2)]},
        {"options": {"units": 2, "return_sequences": True, "unit_forget_bias": False}, "inputs": [(3, 2)]},
        {"options": {"units": 1, "go_backwards": True, "bias": False}, "inputs": [(1, 1)]},
        {"options": {"units": 2, "return_sequences": True, "go_backwards": True}, "inputs": [(3, 1)], "padded": True},
        {"options": {"units": 2}, "inputs": [(3, 2)], "padded": True},
        {"options": {"units": 2, "initial_state": "learned"}, "inputs": [(3, 2)]},
        {"options": {"units": 1, "initial_state": "learned"}, "inputs": [(2, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        shape = super().build(*shapes)
        steps = shapes[0][0]
        self.workspace("tanh_c", (steps, self.units), axis=1)
        self.workspace("work", (4, self.units), axis=1, temporary=True)
        self.workspace("slopes", (4, self.units), axis=1, temporary=True)
        return shape

    def first_bias(self) -> Any:
        return ForgetGateOpen(inner=self.bias_initializer) if self.unit_forget_bias else self.bias_initializer

    def go(self, steps: slice) -> None:
        states = slice(steps.start, steps.stop + 1)
        self.kernels.lstm_walk(
            self.z[steps],
            self.U,
            self.zh,
            self.h[states],
            self.c[states],
            self.tanh_c[steps],
            steps.start == 0 and not self.learns_start,
        )

    def onnx_form(self) -> tuple[str, list[int], dict[str, Any]]:
        return "LSTM", [0, 3, 1, 2], {}

    def onnx_step(self, graph: OnnxGraph, z: str, *states: str) -> list[str]:
        h, c = states
        i, f, g, o = graph.add_many("Split", 4, graph.add("Add", z, graph.add("MatMul", h, self.U)), axis=-1)
        i, f, o = (graph.add("Sigmoid", gate) for gate in (i, f, o))
        c = graph.add("Add", graph.add("Mul", f, c), graph.add("Mul", i, graph.add("Tanh", g)))
        return [graph.add("Mul", o, graph.add("Tanh", c)), c]

    def go_back(self, steps: slice, dys: Array | None) -> None:
        dh, dc = self.carry
        self.kernels.lstm_walk_back(
            dys,
            dh,
            dc,
            self.z[steps],
            self.c[steps],
            self.tanh_c[steps],
            self.turned,
            self.work,
            self.slopes,
            steps.start == 0 and not self.learns_start,
        )
