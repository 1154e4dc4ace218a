from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import PositiveInt, layer
from backprop_cli.engine.normalization import GroupedNormalization
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@layer("group_norm", "group_normalization", "groupnorm")
class GroupNorm(GroupedNormalization):
    """Groups of channels shifted and scaled to mean 0 and variance 1, in each example by itself.

    y = γ x̂ + β,  x̂ = (x − μ) / √(σ² + ε)          x, y (N, ..., C)   γ, β (C,)
    μ, σ² over the places and the C/groups channels of a group. groups: C is instance normalisation.
    Steps that a mask leaves out do not count, and y is 0 there.
    dγ = Σ dy x̂    dβ = Σ dy    dx = (g − mean g − x̂ mean(g x̂)) / √(σ² + ε),  g = γ dy, means over a group
    ε is PyTorch's 1e-5; Keras's default is 1e-3. Wu & He 2018, arXiv:1803.08494
    """

    groups: Annotated[PositiveInt, Doc("groups of channels; must divide their number")] = 32

    examples = [
        {"options": {"groups": 2}, "inputs": [(2, 3, 4)]},
        {"options": {"groups": 1, "scale": False}, "inputs": [(3, 2)]},
        {"options": {"groups": 3, "center": False}, "inputs": [(2, 2, 3)]},
        {"options": {"groups": 2}, "inputs": [(6,)]},
        {"options": {"groups": 2}, "inputs": [(3, 4)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if shape[-1] % self.groups:
            raise BuildError(
                f"{self.groups} groups do not divide the {shape[-1]} channels of {shape}; take a divisor as groups"
            )
        return self.group(shape, int(np.prod(shape[:-1])), self.groups)
