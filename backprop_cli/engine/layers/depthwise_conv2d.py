from __future__ import annotations

from typing import Annotated

from backprop_cli.engine.convolution import Convolution
from backprop_cli.engine.layer import PositiveInt, layer
from backprop_cli.registry import Doc


@layer("depthwise_conv2d", "depthwise_convolution2d")
class DepthwiseConv2d(Convolution):
    """Convolution of every channel by itself, with `depth_multiplier` filters each.

    y = f(z),  z[n, p, q, c·M + m] = b + Σᵢⱼ x[n, p·s + i·d − pad, q·s + j·d − pad, c] W[i, j, 0, c·M + m]
    δ = dy ⊙ f'(z)    dW[i, j] = Σ x δ over n, p, q    db = Σ δ    dx = Σᵢⱼ δ W[i, j], each where its x was
    x (N, H, W, C)   W (kh, kw, 1, C·M)   b (C·M,)   y (N, H', W', C·M)   M = depth_multiplier
    The same as conv2d with groups: C and filters: C·M. Padding as there. Howard et al. 2017, arXiv:1704.04861
    """

    depth_multiplier: Annotated[PositiveInt, Doc("filters for each channel of x")] = 1

    examples = [
        {"options": {"kernel_size": 3}, "inputs": [(4, 3, 2)]},
        {"options": {"kernel_size": 2, "depth_multiplier": 2, "padding": "same", "strides": 2}, "inputs": [(3, 4, 2)]},
        {"options": {"kernel_size": [1, 2], "dilation": 2, "padding": 1, "activation": "relu"}, "inputs": [(1, 3, 3)]},
        {"options": {"kernel_size": 2, "depth_multiplier": 3, "bias": False}, "inputs": [(2, 2, 1)]},
    ]

    def split(self, channels: int) -> tuple[int, int]:
        return channels * self.depth_multiplier, channels
