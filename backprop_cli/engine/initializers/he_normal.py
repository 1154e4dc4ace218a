from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import He


@initializer("he_normal", "kaiming_normal", "he")
class HeNormal(He):
    """w ~ N(0, 2 / ((1 + negative_slope²) fan_in)), not truncated, as in PyTorch.  He et al. 2015, arXiv:1502.01852"""

    uniform = False
