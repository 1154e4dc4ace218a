from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.kernels.reference.recurrent import by_gate
from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.recurrent import Recurrent
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("gru")
class GRU(Recurrent):
    """Gated recurrent unit.

    z, r = σ(x_t W_zr + h_{t−1} U_zr + b_zr)    update and reset gate
    n = tanh(x_t W_n + b_n + r ⊙ (h_{t−1} U_n + bU_n))   with reset_after (Keras, PyTorch, cuDNN; default)
    n = tanh(x_t W_n + b_n + (r ⊙ h_{t−1}) U_n)          without (the paper)
    h_t = z ⊙ h_{t−1} + (1 − z) ⊙ n    h_0 = 0 or trained
    x (N, T, F)   W (F, 3H)   U (H, 3H)   b (3H,), blocks in the order z, r, n (that of Keras)
    bU (3H,), with reset_after only: the bias of h U; y = h_T (N, H), or every h_t (N, T, H) with return_sequences
    Back through time, with δ the gradient of a gate's argument:
    δ_n = dh ⊙ (1 − z) ⊙ (1 − n²)    δ_z = dh ⊙ (h_{t−1} − n) ⊙ z(1 − z)
    after:   δ_r = δ_n ⊙ (h U_n + bU_n) ⊙ r(1 − r)    dh_{t−1} = dh ⊙ z + [δ_z δ_r δ_n ⊙ r] Uᵀ
    without: δ_r = δ_n U_nᵀ ⊙ h_{t−1} ⊙ r(1 − r)      dh_{t−1} = dh ⊙ z + [δ_z δ_r] U_zrᵀ + δ_n U_nᵀ ⊙ r
    Steps that the mask leaves out keep h. go_backwards reads from T to 1, y stays aligned with x.
    Cho et al. 2014, arXiv:1406.1078
    """

    reset_after: Annotated[
        bool, Doc("apply the reset gate after the product with U, as Keras, PyTorch and cuDNN do")
    ] = True

    gates = 3
    acts_as = "tanh"

    bU: Array = slot()
    dbU: Array = slot()
    zrn: Array = slot()  # (T, 3, N, H)
    inner: Array = slot()  # what stands beside U_n's product: h U_n + bU_n with reset_after, else r ⊙ h
    dzrn: Array = slot()
    dzh: Array = slot()  # dL/d(h U), with reset_after
    work: Array = slot()
    product: Array = slot()

    examples = [
        {"options": {"units": units, **options, "reset_after": after}, "inputs": [shape], "padded": padded}
        for after in (True, False)
        for units, options, shape, padded in (
            (3, {}, (4, 2), False),
            (2, {"return_sequences": True}, (3, 2), False),
            (1, {"go_backwards": True, "bias": False}, (1, 1), False),
            (2, {"return_sequences": True, "go_backwards": True}, (3, 1), True),
            (2, {}, (3, 2), True),
            (2, {"initial_state": "learned"}, (3, 2), False),
            (1, {"initial_state": "learned"}, (2, 2), True),
        )
    ]

    def build(self, *shapes: Shape) -> Shape:
        shape = super().build(*shapes)
        steps, units = shapes[0][0], self.units
        if self.bias and self.reset_after:
            self.parameter("bU", (3 * units,), self.bias_initializer, decay=False)
        self.workspace("zrn", (steps, 3, units), axis=2)
        self.workspace("inner", (steps, units), axis=1)
        self.workspace("dzrn", (3, units), axis=1, temporary=True)
        if self.reset_after:
            self.workspace("dzh", (steps, 3 * units), axis=1, temporary=True)
        self.workspace("work", (units,), temporary=True)
        self.workspace("product", (units,), temporary=True)
        return shape

    def go(self, steps: slice) -> None:
        if not self.reset_after:
            super().go(steps)
            return
        bias, states = self.bU[2 * self.units :] if self.bias else None, slice(steps.start, steps.stop + 1)
        memory = self.zh, self.h[states], self.zrn[steps], self.inner[steps]
        self.kernels.gru_walk(self.z[steps], self.U, bias, *memory)

    def go_back(self, steps: slice, dys: Array | None) -> None:
        if not self.reset_after:
            super().go_back(steps, dys)
            return
        self.kernels.gru_walk_back(
            dys,
            self.carry[0],
            self.zrn[steps],
            self.h[steps],
            self.inner[steps],
            self.z[steps],
            self.dzh[steps],
            self.turned,
            self.product,
            self.dzrn,
            self.work,
        )

    def step(self, t: int) -> None:
        """Without reset_after."""
        h, zx, inner, width = self.h[t], self.z[t], self.inner[t], 2 * self.units
        z, r, n = self.zrn[t]
        np.matmul(h, self.U[:, :width], out=self.zh[:, :width])
        self.kernels.gru_gates(zx, self.zh, self.zrn[t, :2])
        np.multiply(r, h, out=inner)
        self.kernels.matmul(inner, self.U[:, width:], n)
        np.add(n, zx[:, width:], out=n)
        self.kernels.gru_mix(z, n, h, self.h[t + 1])

    def step_back(self, t: int) -> None:
        """Without reset_after."""
        h, dh, width = self.h[t], self.carry[0], 2 * self.units
        r = self.zrn[t, 1]
        _, dr, dn = self.dzrn
        self.kernels.gru_unmix(dh, self.zrn[t], h, self.dzrn, self.work)
        self.kernels.matmul(dn, self.turned[width:], self.product)
        np.multiply(self.product, h, out=dr)
        np.multiply(self.product, r, out=self.product)
        np.add(dh, self.product, out=dh)
        np.subtract(1, r, out=self.work)
        np.multiply(self.work, r, out=self.work)
        np.multiply(dr, self.work, out=dr)
        np.copyto(by_gate(self.z[t], 3), self.dzrn)
        self.kernels.matmul(self.z[t, :, :width], self.turned[:width], self.product)
        np.add(dh, self.product, out=dh)

    def onnx_form(self) -> tuple[str, list[int], dict[str, Any]]:
        return "GRU", [0, 1, 2], {"linear_before_reset": int(self.reset_after)}

    def onnx_biases(self) -> tuple[Array, Array]:
        return (self.b, self.bU) if self.reset_after else super().onnx_biases()

    def onnx_step(self, graph: OnnxGraph, z: str, *states: str) -> list[str]:
        (h,), width = states, 2 * self.units
        zr, n = graph.add_many("Split", 2, z, np.array([width, self.units]), axis=-1)
        zr = graph.add("Sigmoid", graph.add("Add", zr, graph.add("MatMul", h, self.U[:, :width])))
        update, reset = graph.add_many("Split", 2, zr, axis=-1)
        if self.reset_after:
            inner = graph.add("MatMul", h, self.U[:, width:])
            inner = graph.add("Mul", reset, graph.add("Add", inner, self.bU[width:]) if self.bias else inner)
        else:
            inner = graph.add("MatMul", graph.add("Mul", reset, h), self.U[:, width:])
        candidate = graph.add("Tanh", graph.add("Add", n, inner))
        rest = graph.add("Mul", graph.add("Sub", 1.0, update), candidate)
        return [graph.add("Add", graph.add("Mul", update, h), rest)]

    def bias_row(self, out: Array) -> None:
        """b, with bU of the gates: only n's part of bU must stay apart."""
        super().bias_row(out)
        if self.reset_after:
            width = 2 * self.units
            np.add(out[:width], self.bU[:width], out=out[:width])

    def _recurrent_gradients(self) -> None:
        width, rows = 2 * self.units, len(self.h[1:]) * self.h.shape[1]
        h = self.h[:-1].reshape(rows, -1)
        if self.reset_after:
            dzh = self.dzh.reshape(rows, -1)
            self.kernels.matmul(h.T, dzh, self.dU)
            if self.bias:
                np.copyto(self.dbU, self.db)
                self.kernels.bias_gradient(dzh[:, width:], self.dbU[width:])
        else:
            dz = self.z.reshape(rows, -1)
            self.kernels.matmul(h.T, dz[:, :width], self.dU[:, :width])
            self.kernels.matmul(self.inner.reshape(rows, -1).T, dz[:, width:], self.dU[:, width:])
