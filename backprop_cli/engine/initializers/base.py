"""The base of every initializer.

fan_in and fan_out are read off the layouts (in, out) and (kh, kw, in, out): every axis but the last two is the
receptive field.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.registry import Component, register


def initializer(name: str, *aliases: str) -> Any:
    """Class decorator: registers an initializer under its names."""
    return register("initializer", name, *aliases)


def fans(shape: Shape) -> tuple[int, int]:
    """(fan_in, fan_out) of a kernel."""
    if len(shape) < 2:
        size = int(np.prod(shape))
        return size, size
    field = int(np.prod(shape[:-2]))
    return field * shape[-2], field * shape[-1]


@dataclass(kw_only=True)
class InitializerBase(Component):
    """Fills a new parameter with its first values."""

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        raise NotImplementedError  # every initializer has its own
