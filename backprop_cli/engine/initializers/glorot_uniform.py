from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import Glorot


@initializer("glorot_uniform", "xavier_uniform", "xavier")
class GlorotUniform(Glorot):
    """w ~ U(−a, a), a = gain √(6 / (fan_in + fan_out)).  Glorot & Bengio 2010, AISTATS"""

    uniform = True
