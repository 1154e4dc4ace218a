"""One number per channel against an array of (n, S, C), and ReLU with it."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["add_channels", "add_channels_relu", "channels_relu_gradient", "sum_channels"]

Array = npt.NDArray[Any]


@compiled
def add_channels(y: Array, b: Array, tile: Array) -> None:
    for n in range(y.shape[0]):
        for s in range(y.shape[1]):
            row = y[n, s]
            for c in range(row.size):
                row[c] += b[c]


@compiled
def add_channels_relu(y: Array, b: Array, tile: Array) -> None:
    zero = y.dtype.type(0)
    for n in range(y.shape[0]):
        for s in range(y.shape[1]):
            row = y[n, s]
            for c in range(row.size):
                value = row[c] + b[c]
                row[c] = zero if value < zero else value  # NaN stays


@compiled
def sum_channels(y: Array, out: Array, tile: Array) -> None:
    out[:] = 0
    for n in range(y.shape[0]):
        some = tile[0]
        some[:] = 0
        for s in range(y.shape[1]):
            row = y[n, s]
            for c in range(row.size):
                some[c] += row[c]
        for c in range(some.size):
            out[c] += some[c]


@compiled
def channels_relu_gradient(y: Array, dy: Array, db: Array, tile: Array, positive: Array) -> None:
    zero = dy.dtype.type(0)
    db[:] = 0
    for n in range(dy.shape[0]):
        some = tile[0]
        some[:] = 0
        for s in range(dy.shape[1]):
            row, slope = y[n, s], dy[n, s]
            for c in range(row.size):
                value = slope[c] if row[c] > zero else zero
                slope[c] = value
                some[c] += value
        for c in range(some.size):
            db[c] += some[c]
