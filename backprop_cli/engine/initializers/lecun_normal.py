from __future__ import annotations

from backprop_cli.engine.initializers.base import initializer
from backprop_cli.engine.initializers.scaled import Scaled


@initializer("lecun_normal")
class LecunNormal(Scaled):
    """w ~ N(0, 1 / fan_in), not truncated, as in PyTorch.  LeCun et al. 1998, Efficient BackProp"""

    mode, uniform = "fan_in", False
