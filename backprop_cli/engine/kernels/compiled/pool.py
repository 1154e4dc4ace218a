"""Pooling in one pass over the image, and its gradient in another; the scratch arrays of the reference stay untouched.

The innermost loops run over channels, which lie side by side in memory.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import parallel
from backprop_cli.engine.window import Axis

__all__ = ["avg_pool", "avg_pool_gradient", "max_pool", "max_pool_gradient"]

Array = npt.NDArray[Any]


def max_pool(x: Array, middle: Array, y: Array, rows: Axis, columns: Axis) -> None:
    if _is_two_by_two(rows, columns):
        _max_of_four(x, y)
    else:
        _max_pool(x, y, rows, columns)


def max_pool_gradient(
    x: Array, middle: Array, y: Array, dy: Array, dx: Array, dmiddle: Array, part: Array, rows: Axis, columns: Axis
) -> None:
    if _is_two_by_two(rows, columns):
        _one_of_four(x, y, dy, dx)
    else:
        _max_pool_gradient(x, y, dy, dx, rows, columns)


def _is_two_by_two(rows: Axis, columns: Axis) -> bool:
    """Windows of 2 × 2 side by side, the most common of all."""
    return all(
        axis.kernel == axis.stride == 2 and axis.dilation == 1 and axis.before == 0 and axis.out == axis.size // 2
        for axis in (rows, columns)
    )


@parallel
def _max_of_four(x: Array, y: Array) -> None:
    for n in prange(y.shape[0]):
        for oh in range(y.shape[1]):
            for ow in range(y.shape[2]):
                out = y[n, oh, ow]
                a, b = x[n, 2 * oh, 2 * ow], x[n, 2 * oh, 2 * ow + 1]
                c, d = x[n, 2 * oh + 1, 2 * ow], x[n, 2 * oh + 1, 2 * ow + 1]
                for k in range(out.size):
                    up = a[k] if (a[k] >= b[k]) | (a[k] != a[k]) else b[k]  # NaN stays
                    down = c[k] if (c[k] >= d[k]) | (c[k] != c[k]) else d[k]
                    out[k] = up if (up >= down) | (up != up) else down


@parallel
def _one_of_four(x: Array, y: Array, dy: Array, dx: Array) -> None:
    """A loop for each cell, so that each writes one array: that is what the compiler vectorizes."""
    zero = dx.dtype.type(0)
    if dx.shape[1] % 2:
        dx[:, dx.shape[1] - 1] = 0
    if dx.shape[2] % 2:
        dx[:, :, dx.shape[2] - 1] = 0
    for n in prange(y.shape[0]):
        for oh in range(y.shape[1]):
            for ow in range(y.shape[2]):
                best, slope = y[n, oh, ow], dy[n, oh, ow]
                a, b = x[n, 2 * oh, 2 * ow], x[n, 2 * oh, 2 * ow + 1]
                c = x[n, 2 * oh + 1, 2 * ow]
                da, db = dx[n, 2 * oh, 2 * ow], dx[n, 2 * oh, 2 * ow + 1]
                dc, dd = dx[n, 2 * oh + 1, 2 * ow], dx[n, 2 * oh + 1, 2 * ow + 1]
                for k in range(best.size):
                    da[k] = slope[k] if a[k] == best[k] else zero
                for k in range(best.size):
                    db[k] = slope[k] if (b[k] == best[k]) & (a[k] != best[k]) else zero
                for k in range(best.size):
                    dc[k] = slope[k] if (c[k] == best[k]) & (a[k] != best[k]) & (b[k] != best[k]) else zero
                for k in range(best.size):
                    dd[k] = slope[k] if (a[k] != best[k]) & (b[k] != best[k]) & (c[k] != best[k]) else zero


@parallel
def _max_pool(x: Array, y: Array, rows: Axis, columns: Axis) -> None:
    for n in prange(x.shape[0]):
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


@parallel
def _max_pool_gradient(x: Array, y: Array, dy: Array, dx: Array, rows: Axis, columns: Axis) -> None:
    dx[:] = 0
    zero = dx.dtype.type(0)
    for n in prange(x.shape[0]):
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
                        for c in range(best.size):
                            here = cell[c] == best[c]
                            share[c] += left[c] if here else zero
                            left[c] = zero if here else left[c]


@parallel
def avg_pool(x: Array, middle: Array, y: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    for n in prange(x.shape[0]):
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


@parallel
def avg_pool_gradient(dy: Array, dx: Array, dmiddle: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    dx[:] = 0
    for n in prange(dx.shape[0]):
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
