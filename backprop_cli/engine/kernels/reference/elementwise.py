"""Single passes over arrays of one shape, which may be the same array."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["add", "copy", "relu", "relu_gradient"]


def add(a: Array, b: Array, out: Array) -> None:
    """out = a + b"""
    np.add(a, b, out=out)


def copy(x: Array, out: Array) -> None:
    """out = x"""
    np.copyto(out, x)


def relu(x: Array, y: Array) -> None:
    """y = max(0, x)"""
    np.maximum(x, 0, out=y)


def relu_gradient(y: Array, dy: Array, dx: Array, positive: Array) -> None:
    """dx = dy where y > 0, else 0; `positive`, booleans like y, is scratch memory."""
    np.greater(y, 0, out=positive)
    np.multiply(dy, positive, out=dx)
