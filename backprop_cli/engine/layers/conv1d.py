from __future__ import annotations

from typing import Annotated, Literal

from backprop_cli.engine.convolution import Convolution, Filters, Groups, grouped
from backprop_cli.engine.layer import Shape, layer
from backprop_cli.engine.window import Axis, Padding, axes
from backprop_cli.registry import Doc


@layer("conv1d", "convolution1d")
class Conv1d(Convolution):
    """Convolution over the steps of a sequence, then an optional activation.

    y = f(z),  z[n, t] = b + Σᵢ x[n, t·s + i·d − pad] W[i]
    δ = dy ⊙ f'(z)    dW[i] = Σ xᵀ δ over n, t    db = Σ δ    dx = Σᵢ δ W[i]ᵀ, each where its x was
    x (N, T, F)   W (k, F/groups, O)   b (O,)   y (N, T', O)
    Padding as in conv2d, and `causal`: d(k − 1) zeros before, so that y[t] sees nothing after x[t].
    Waibel et al. 1989, doi:10.1109/29.21701; causal: van den Oord et al. 2016, arXiv:1609.03499
    """

    filters: Filters
    groups: Groups = 1
    padding: Annotated[
        Padding | Literal["causal"],
        Doc("`valid` adds none, `same` keeps ⌈size / stride⌉, `causal` looks at past steps only; or zeros to add"),
    ] = "valid"  # type: ignore[assignment]  # wider: a sequence has a past

    rank = 1

    examples = [
        {"options": {"filters": 2, "kernel_size": 3}, "inputs": [(5, 2)]},
        {"options": {"filters": 2, "kernel_size": 2, "padding": "causal", "dilation": 2}, "inputs": [(4, 1)]},
        {
            "options": {"filters": 3, "kernel_size": 3, "padding": "same", "strides": 2, "bias": False},
            "inputs": [(1, 2)],
        },
        {"options": {"filters": 4, "kernel_size": 2, "groups": 2, "padding": [[0, 1]]}, "inputs": [(3, 2)]},
        {"options": {"filters": 1, "kernel_size": 1, "strides": 2, "activation": "tanh"}, "inputs": [(3, 3)]},
    ]

    def split(self, channels: int) -> tuple[int, int]:
        return grouped(channels, self.filters, self.groups)

    def windows(self, sizes: Shape) -> tuple[Axis, Axis]:
        if self.padding != "causal":
            return axes(sizes, self.kernel_size, self.strides, self.padding, self.dilation)
        _, steps = axes(sizes, self.kernel_size, self.strides, "same", self.dilation)
        before = steps.dilation * (steps.kernel - 1)
        return axes(sizes, self.kernel_size, self.strides, [[before, 0]], self.dilation)
