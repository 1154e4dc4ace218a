from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, initializer
from backprop_cli.engine.initializers.scaled import spread
from backprop_cli.registry import Doc


@initializer("variance_scaling")
class VarianceScaling(InitializerBase):
    """Var w = scale / n, n = fan_in, fan_out or their mean (fan_avg); Keras's VarianceScaling."""

    scale: Annotated[float, Gt(0), Doc("numerator of the variance; 2 suits a ReLU, 1 a tanh")] = 1.0
    mode: Annotated[
        Literal["fan_in", "fan_out", "fan_avg"],
        Doc("which count of connections divides it: inputs, outputs or their mean"),
    ] = "fan_in"
    distribution: Annotated[
        Literal["normal", "uniform"], Doc("shape of the distribution; its variance is the same")
    ] = "normal"

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        spread(out, rng, self.scale, self.mode, self.distribution == "uniform")
