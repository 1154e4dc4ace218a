from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import Glorot


@initializer("glorot_normal", "xavier_normal")
class GlorotNormal(Glorot):
    """w ~ N(0, gain² · 2 / (fan_in + fan_out)), not truncated, as in PyTorch.  Glorot & Bengio 2010, AISTATS"""

    uniform = False
