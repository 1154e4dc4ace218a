from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.convolution import Convolution, Filters, Groups, grouped
from backprop_cli.engine.layer import layer
from backprop_cli.engine.masks import hidden, hide, shifting, windows
from backprop_cli.engine.window import Axis, Padding, axes
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("conv1d", "convolution1d")
class Conv1d(Convolution):
    """Convolution over the steps of a sequence, then an optional activation.

    y = f(z),  z[n, t] = b + Σᵢ x[n, t·s + i·d − pad] W[i]
    δ = dy ⊙ f'(z)    dW[i] = Σ xᵀ δ over n, t    db = Σ δ    dx = Σᵢ δ W[i]ᵀ, each where its x was
    x (N, T, F)   W (k, F/groups, O)   b (O,)   y (N, T', O)
    Padding as in conv2d, and `causal`: d(k − 1) zeros before, so that y[t] sees nothing after x[t].
    Steps that a mask leaves out are zeros, as padding is. Steps of y count where they would be there without them.
    Waibel et al. 1989, doi:10.1109/29.21701; causal: van den Oord et al. 2016, arXiv:1609.03499
    """

    filters: Filters
    groups: Groups = 1
    padding: Annotated[
        Padding | Literal["causal"],
        Doc("`valid` adds none, `same` keeps ⌈size / stride⌉, `causal` looks at past steps only; or zeros to add"),
    ] = "valid"  # type: ignore[assignment]  # wider: a sequence has a past

    rank = 1

    clean: Array = slot()

    examples = [
        {"options": {"filters": 2, "kernel_size": 3}, "inputs": [(5, 2)]},
        {"options": {"filters": 2, "kernel_size": 2, "padding": "causal", "dilation": 2}, "inputs": [(4, 1)]},
        {
            "options": {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2, "bias": False},
            "inputs": [(1, 2)],
        },
        {"options": {"filters": 4, "kernel_size": 2, "groups": 2, "padding": [[0, 1]]}, "inputs": [(3, 2)]},
        {"options": {"filters": 1, "kernel_size": 1, "strides": 2, "activation": "tanh"}, "inputs": [(3, 3)]},
        {"options": {"filters": 2, "kernel_size": 3}, "inputs": [(5, 2)], "padded": True},
        {"options": {"filters": 2, "kernel_size": 3, "padding": "same"}, "inputs": [(4, 2)], "padded": True},
        {"options": {"filters": 2, "kernel_size": 2, "padding": [[2, 1]]}, "inputs": [(3, 2)], "padded": True},
    ]

    def split(self, channels: int) -> tuple[int, int]:
        return grouped(channels, self.filters, self.groups)

    def build(self, *shapes: Shape) -> Shape:
        y = super().build(*shapes)
        self.mask_rule = windows(self._columns, "same" if self.padding == "causal" else self.padding)
        if self.has_mask:
            self.workspace("clean", shapes[0], temporary=True)
            self.remark = shifting(self._columns, self.padding)
        return y

    def forward(self, x: Array, y: Array, training: bool) -> None:
        super().forward(self._seen(x), y, training)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        super().backward(self._seen(x), y, dy, dx)
        if dx is not None and self.mask is not None:
            np.multiply(dx, self.mask[..., None], out=dx)

    def _seen(self, x: Array) -> Array:
        """x with the zeros of padding at the steps that do not count."""
        return x if self.mask is None else hide(x, self.mask, 0, self.clean)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return super().onnx(graph, hidden(graph, x, 0.0))

    def windows(self, sizes: Shape) -> tuple[Axis, Axis]:
        if self.padding != "causal":
            return axes(sizes, self.kernel_size, self.strides, self.padding, self.dilation)
        _, steps = axes(sizes, self.kernel_size, self.strides, "same", self.dilation)
        before = steps.dilation * (steps.kernel - 1)
        return axes(sizes, self.kernel_size, self.strides, [[before, 0]], self.dilation)
