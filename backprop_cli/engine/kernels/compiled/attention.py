"""The softmax of attention scores and its gradient, in place, row by row."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.kernels.compiled.exponential import exp

__all__ = ["attention_softmax", "attention_softmax_backward"]

Array = npt.NDArray[Any]


@compiled
def attention_softmax(scores: Array, row: Array) -> None:
    flat = scores.reshape(-1, scores.shape[3])
    one, zero = scores.dtype.type(1), scores.dtype.type(0)
    for n in range(flat.shape[0]):
        p = flat[n]
        largest = p[0]
        for k in range(1, p.size):
            largest = p[k] if p[k] > largest else largest
        total = zero
        for k in range(p.size):
            value = exp(p[k] - largest)
            p[k] = value
            total += value
        inverse = one / total
        for k in range(p.size):
            p[k] *= inverse


@compiled
def attention_softmax_backward(p: Array, dp: Array, dot: Array) -> None:
    flat, slopes, dots = p.reshape(-1, p.shape[3]), dp.reshape(-1, p.shape[3]), dot.reshape(-1)
    for n in range(flat.shape[0]):
        row, slope, mean = flat[n], slopes[n], dots[n]
        for k in range(row.size):
            slope[k] = (slope[k] - mean) * row[k]
