"""One number per channel against an array of (n, S, C), and ReLU with it. The batch is cut into shares."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import SHARES, add_up, parallel

__all__ = ["add_channels", "add_channels_relu", "channels_relu_gradient", "sum_channels"]

Array = npt.NDArray[Any]


@parallel
def add_channels(y: Array, b: Array, tile: Array) -> None:
    for n in prange(y.shape[0]):
        for s in range(y.shape[1]):
            row = y[n, s]
            for c in range(row.size):
                row[c] += b[c]


@parallel
def add_channels_relu(y: Array, b: Array, tile: Array) -> None:
    zero = y.dtype.type(0)
    for n in prange(y.shape[0]):
        for s in range(y.shape[1]):
            row = y[n, s]
            for c in range(row.size):
                value = row[c] + b[c]
                row[c] = zero if value < zero else value  # NaN stays


@parallel
def sum_channels(y: Array, out: Array, tile: Array) -> None:
    shares = min(SHARES, tile.shape[0])
    share = -(-y.shape[0] // shares)
    for part in prange(shares):
        some = tile[part]
        some[:] = 0
        for n in range(part * share, min((part + 1) * share, y.shape[0])):
            for s in range(y.shape[1]):
                row = y[n, s]
                for c in range(row.size):
                    some[c] += row[c]
    add_up(tile[:shares].reshape((shares, 1, -1)), out.reshape((1, -1)))


@parallel
def channels_relu_gradient(y: Array, dy: Array, db: Array, tile: Array, positive: Array) -> None:
    zero = dy.dtype.type(0)
    shares = min(SHARES, tile.shape[0])
    share = -(-y.shape[0] // shares)
    for part in prange(shares):
        some = tile[part]
        some[:] = 0
        for n in range(part * share, min((part + 1) * share, y.shape[0])):
            for s in range(y.shape[1]):
                row, slope = y[n, s], dy[n, s]
                for c in range(row.size):
                    value = slope[c] if row[c] > zero else zero
                    slope[c] = value
                    some[c] += value
    add_up(tile[:shares].reshape((shares, 1, -1)), db.reshape((1, -1)))
