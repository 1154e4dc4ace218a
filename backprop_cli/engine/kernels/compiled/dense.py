"""Bias and ReLU of a matrix product's rows in one pass, likewise their gradients."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["add_bias", "add_bias_relu", "bias_gradient", "bias_relu_gradient"]

Array = npt.NDArray[Any]


@compiled
def add_bias(z: Array, b: Array) -> None:
    for n in range(z.shape[0]):
        for o in range(z.shape[1]):
            z[n, o] += b[o]


@compiled
def add_bias_relu(z: Array, b: Array) -> None:
    zero = z.dtype.type(0)
    for n in range(z.shape[0]):
        for o in range(z.shape[1]):
            value = z[n, o] + b[o]
            z[n, o] = zero if value < zero else value  # NaN stays


@compiled
def bias_gradient(dz: Array, db: Array) -> None:
    db[:] = 0
    for n in range(dz.shape[0]):
        for o in range(dz.shape[1]):
            db[o] += dz[n, o]


@compiled
def bias_relu_gradient(y: Array, dy: Array, db: Array, positive: Array) -> None:
    zero = dy.dtype.type(0)
    db[:] = 0
    for n in range(dy.shape[0]):
        for o in range(dy.shape[1]):
            value = dy[n, o] if y[n, o] > zero else zero
            dy[n, o] = value
            db[o] += value
