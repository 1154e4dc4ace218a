from __future__ import annotations

from backprop_cli.engine.convolution import Convolution, Filters, Groups, grouped
from backprop_cli.engine.layer import layer


@layer("conv2d", "convolution2d")
class Conv2d(Convolution):
    """Convolution (correlation, as everywhere) over height and width, then an optional activation.

    y = f(z),  z[n, p, q] = b + Σᵢⱼ x[n, p·s + i·d − pad, q·s + j·d − pad] W[i, j]
    δ = dy ⊙ f'(z)    dW[i, j] = Σ xᵀ δ over n, p, q    db = Σ δ    dx = Σᵢⱼ δ W[i, j]ᵀ, each where its x was
    x (N, H, W, C)   W (kh, kw, C/groups, O)   b (O,)   y (N, H', W', O)
    `padding: same` gives H' = ⌈H/stride⌉, the odd cell below and right, as TensorFlow and Keras do; a number,
    [h, w] or [[top, bottom], [left, right]] pads as PyTorch does, H' = ⌊(H + pad − d(kh − 1) − 1)/stride⌋ + 1.
    LeCun et al. 1989, doi:10.1162/neco.1989.1.4.541; groups: Krizhevsky et al. 2012; dilation: arXiv:1511.07122
    """

    filters: Filters
    groups: Groups = 1

    examples = [
        {"options": {"filters": 2, "kernel_size": 3}, "inputs": [(4, 5, 2)]},
        {"options": {"filters": 3, "kernel_size": [2, 3], "padding": "same", "strides": 2}, "inputs": [(5, 4, 1)]},
        {"options": {"filters": 2, "kernel_size": 1, "activation": "tanh", "bias": False}, "inputs": [(2, 3, 4)]},
        {"options": {"filters": 4, "kernel_size": 2, "groups": 2, "padding": 1, "dilation": 2}, "inputs": [(3, 3, 6)]},
        {"options": {"filters": 2, "kernel_size": 2, "strides": 3, "activation": "softmax"}, "inputs": [(6, 6, 1)]},
        {"options": {"filters": 4, "kernel_size": 1, "groups": 2}, "inputs": [(1, 3, 4)]},
        {"options": {"filters": 1, "kernel_size": [1, 3], "padding": [[0, 1], [2, 0]]}, "inputs": [(1, 1, 1)]},
        {"options": {"filters": 6, "kernel_size": 2, "groups": 3}, "inputs": [(3, 2, 3)]},
    ]

    def split(self, channels: int) -> tuple[int, int]:
        return grouped(channels, self.filters, self.groups)
