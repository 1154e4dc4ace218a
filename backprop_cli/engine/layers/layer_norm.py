from __future__ import annotations

from backprop_cli.engine.arrays import Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.normalization import GroupedNormalization


@layer("layer_norm", "layer_normalization", "layernorm")
class LayerNorm(GroupedNormalization):
    """Each row (the last axis) shifted and scaled to mean 0 and variance 1, then by what is learnt.

    y = γ x̂ + β,  x̂ = (x − μ) / √(σ² + ε),  μ, σ² over the last axis          x, y (N, ..., F)   γ, β (F,)
    dγ = Σ dy x̂    dβ = Σ dy    dx = (g − mean g − x̂ mean(g x̂)) / √(σ² + ε),  g = γ dy
    ε is PyTorch's 1e-5; Keras's default is 1e-3. Ba, Kiros & Hinton 2016, arXiv:1607.06450
    """

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"scale": False}, "inputs": [(3, 5)]},
        {"options": {"center": False, "epsilon": 1e-3}, "inputs": [(2, 2, 3)]},
        {"options": {}, "inputs": [(1, 2)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        return self.group(shapes[0], 1, 1)
