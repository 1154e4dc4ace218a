"""One number per channel against an array of (n, S, C): C is often small, so that a loop over it
alone would be all overhead. `tile` (S, C) is scratch memory that makes the inner loops long.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["add_channels", "add_channels_relu", "channels_relu_gradient", "sum_channels"]


def add_channels(y: Array, b: Array, tile: Array) -> None:
    """y += b, for y (n, S, C) and b (C,)."""
    np.copyto(tile, b)
    np.add(y, tile, out=y)


def sum_channels(y: Array, out: Array, tile: Array) -> None:
    """out = Σ y over all but the last axis, for y (n, S, C) and out (C,)."""
    np.sum(y, axis=0, out=tile)
    np.sum(tile, axis=0, out=out)


def add_channels_relu(y: Array, b: Array, tile: Array) -> None:
    """y ← max(0, y + b), for y (n, S, C) and b (C,)."""
    add_channels(y, b, tile)
    np.maximum(y, 0, out=y)


def channels_relu_gradient(y: Array, dy: Array, db: Array, tile: Array, positive: Array) -> None:
    """dy ← dy where y > 0, else 0, and db = Σ dy over all but the last axis; `positive`, booleans like y, is
    scratch memory."""
    np.greater(y, 0, out=positive)
    np.multiply(dy, positive, out=dy)
    sum_channels(dy, db, tile)
