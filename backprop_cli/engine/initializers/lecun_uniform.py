from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import Scaled


@initializer("lecun_uniform")
class LecunUniform(Scaled):
    """w ~ U(−a, a), a = √(3 / fan_in).  LeCun et al. 1998, Efficient BackProp"""

    mode, uniform = "fan_in", True
