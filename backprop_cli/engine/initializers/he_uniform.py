from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import He


@initializer("he_uniform", "kaiming_uniform")
class HeUniform(He):
    """w ~ U(−a, a), a = √(6 / ((1 + negative_slope²) fan_in)).  He et al. 2015, arXiv:1502.01852"""

    uniform = True
