"""Initializers whose variance depends on how many inputs or outputs a unit has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.initializers.base import InitializerBase, fans
from backprop_cli.registry import Doc


@dataclass(kw_only=True)
class Scaled(InitializerBase):
    """Var w = scale / n, n one of fan_in, fan_out or their mean; uniform or normal."""

    mode: ClassVar[str]
    uniform: ClassVar[bool]

    @property
    def scale(self) -> float:
        """n · Var w"""
        return 1.0

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        spread(out, rng, self.scale, self.mode, self.uniform)


def spread(out: Array, rng: np.random.Generator, scale: float, mode: str, uniform: bool) -> None:
    """Fill with zero-mean values of variance scale / n."""
    fan_in, fan_out = fans(out.shape)
    n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[mode]
    std = float(np.sqrt(scale / max(n, 1)))
    if uniform:
        limit = float(np.sqrt(3.0)) * std
        out[...] = rng.uniform(-limit, limit, out.shape)
    else:
        out[...] = rng.normal(0.0, std, out.shape)


@dataclass(kw_only=True)
class Glorot(Scaled):
    """Var w = gain² · 2 / (fan_in + fan_out)"""

    gain: Annotated[float, Gt(0), Doc("factor on every entry; 1 suits tanh and linear units")] = 1.0

    mode = "fan_avg"

    @property
    def scale(self) -> float:
        return self.gain**2


@dataclass(kw_only=True)
class He(Scaled):
    """Var w = 2 / ((1 + a²) fan_in), for the ReLU, or a leaky one of slope a = negative_slope."""

    negative_slope: Annotated[float, Doc("slope of the leaky ReLU that follows; 0 is a plain ReLU")] = 0.0

    mode = "fan_in"

    @property
    def scale(self) -> float:
        return 2 / (1 + self.negative_slope**2)
