"""Pooling in one pass over the image, and its gradient in another; the scratch arrays of the reference stay untouched.

The innermost loops run over channels, which lie side by side in memory.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.window import Axis

__all__ = ["avg_pool", "avg_pool_gradient", "max_pool", "max_pool_gradient"]

Array = npt.NDArray[Any]


@compiled
def max_pool(x: Array, middle: Array, y: Array, rows: Axis, columns: Axis) -> None:
    for n in range(x.shape[0]):
        for oh in range(rows.out):
            for ow in range(columns.out):
                best = y[n, oh, ow]
                empty = True
                for i in range(rows.kernel):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for j in range(columns.kernel):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell = x[n, h, w]
                        if empty:
                            for c in range(best.size):
                                best[c] = cell[c]
                            empty = False
                            continue
                        for c in range(best.size):
                            if not cell[c] <= best[c] and best[c] == best[c]:  # larger, or NaN; NaN stays
                                best[c] = cell[c]


@compiled
def max_pool_gradient(
    x: Array, middle: Array, y: Array, dy: Array, dx: Array, dmiddle: Array, part: Array, rows: Axis, columns: Axis
) -> None:
    apart = rows.stride >= rows.kernel and columns.stride >= columns.kernel  # no cell is in two windows
    apart = apart and rows.dilation == 1 and columns.dilation == 1
    dx[:] = 0
    zero = dx.dtype.type(0)
    for n in range(x.shape[0]):
        for oh in range(rows.out):
            for ow in range(columns.out):
                best, left = y[n, oh, ow], dy[n, oh, ow]
                for i in range(rows.kernel):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for j in range(columns.kernel):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell, share = x[n, h, w], dx[n, h, w]
                        if apart:
                            for c in range(best.size):
                                here = cell[c] == best[c]
                                share[c] = left[c] if here else zero
                                left[c] = zero if here else left[c]
                        else:
                            for c in range(best.size):
                                here = cell[c] == best[c]
                                share[c] += left[c] if here else zero
                                left[c] = zero if here else left[c]


@compiled
def avg_pool(x: Array, middle: Array, y: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    for n in range(x.shape[0]):
        for oh in range(rows.out):
            for ow in range(columns.out):
                mean = y[n, oh, ow]
                mean[:] = 0
                for i in range(rows.kernel):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for j in range(columns.kernel):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell = x[n, h, w]
                        for c in range(mean.size):
                            mean[c] += cell[c]
                for c in range(mean.size):
                    mean[c] *= scale[oh, ow, 0]


@compiled
def avg_pool_gradient(dy: Array, dx: Array, dmiddle: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    dx[:] = 0
    for n in range(dx.shape[0]):
        for oh in range(rows.out):
            for ow in range(columns.out):
                share = dy[n, oh, ow]
                for i in range(rows.kernel):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for j in range(columns.kernel):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell = dx[n, h, w]
                        for c in range(share.size):
                            cell[c] += share[c] * scale[oh, ow, 0]
