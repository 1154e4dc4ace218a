"""The inner product of two long vectors, in the shares of the optimizers' updates."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import LONG, SHARES, compiled, parallel

__all__ = ["inner"]

Array = npt.NDArray[Any]


@compiled
def _inner(a: Array, b: Array) -> Any:
    total = a.dtype.type(0)
    for i in range(a.size):
        total += a[i] * b[i]
    return total


@parallel
def _inner_shares(a: Array, b: Array) -> Any:
    total, size = a.dtype.type(0), -(-a.size // SHARES)
    for share in prange(SHARES):
        part = slice(share * size, (share + 1) * size)
        total += _inner(a[part], b[part])
    return total


def inner(a: Array, b: Array) -> float:
    """In the shares of the update that follows, which finds its part of the gradient in its core's cache."""
    return float(a.dot(b) if a.size < LONG else _inner_shares(a, b))
