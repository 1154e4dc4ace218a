"""Softmax over rows and the cross-entropy of one class a row, in one pass over each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.kernels.compiled.exponential import exp

__all__ = ["class_log", "class_slope", "softmax"]

Array = npt.NDArray[Any]


@compiled
def softmax(x: Array, y: Array, row: Array) -> None:
    one = x.dtype.type(1)
    for n in range(x.shape[0]):
        largest = x[n, 0]
        for k in range(1, x.shape[1]):
            largest = x[n, k] if x[n, k] > largest else largest
        total = x.dtype.type(0)
        for k in range(x.shape[1]):
            value = exp(x[n, k] - largest)
            y[n, k] = value
            total += value
        inverse = one / total
        for k in range(x.shape[1]):
            y[n, k] *= inverse


@compiled
def class_log(z: Array, p: Array, places: Array, chosen: Array, log: Array, row: Array) -> None:
    width = z.shape[1]
    for n in range(z.shape[0]):
        best = 0
        for k in range(1, width):
            best = k if z[n, k] > z[n, best] else best
        chosen[n] = z[n, places[n] - n * width] - z[n, best] + np.log(p[n, best])


@compiled
def class_slope(p: Array, places: Array, dz: Array, chosen: Array) -> None:
    scale = p.dtype.type(1.0 / p.shape[0])
    for n in range(p.shape[0]):
        for k in range(p.shape[1]):
            dz[n, k] = p[n, k] * scale
        k = places[n] - n * p.shape[1]
        dz[n, k] = (p[n, k] - p.dtype.type(1)) * scale
