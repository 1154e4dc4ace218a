from __future__ import annotations

from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.optimizers.adam import Adam
from backprop_cli.engine.optimizers.base import optimizer


@optimizer("adamw")
class AdamW(Adam):
    """Adam with decoupled weight decay.

    w ← w (1 − η λ), then Adam's update; λ = weight_decay does not pass through the moments.
    ε is added to √v̂. Loshchilov & Hutter 2019, arXiv:1711.05101
    """

    weight_decay: NonNegative = 0.01
    decoupled_weight_decay: bool = True
