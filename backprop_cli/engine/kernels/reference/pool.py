"""Pooling, along W and then along H: two short loops over window cells for one long one.

Images are (n, H, W, C), a sequence is an image of one row. `middle` (n, H, ow, C) holds what the
first of the two passes left; a layer keeps it for the gradient.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.window import Axis

__all__ = ["avg_pool", "avg_pool_gradient", "max_pool", "max_pool_gradient"]


def max_pool(x: Array, middle: Array, y: Array, rows: Axis, columns: Axis) -> None:
    """y (n, oh, ow, C) = the largest of each window of x; padding never wins."""
    _max_along(x, middle, 2, columns)
    _max_along(middle, y, 1, rows)


def max_pool_gradient(
    x: Array, middle: Array, y: Array, dy: Array, dx: Array, dmiddle: Array, part: Array, rows: Axis, columns: Axis
) -> None:
    """dx = dy at the first cell of each window, in reading order, that equals y; dy is consumed.

    `dmiddle` is scratch memory like `middle`, and `part` as many numbers as the larger of `middle` and y.
    """
    _route_along(middle, y, dy, dmiddle, part[: y.size].reshape(y.shape), 1, rows)
    _route_along(x, middle, dmiddle, dx, part[: middle.size].reshape(middle.shape), 2, columns)


def avg_pool(x: Array, middle: Array, y: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    """y = scale ⊙ the sum of each window of x; scale (oh, ow, 1) is one over the number of its cells."""
    _sum_along(x, middle, 2, columns)
    _sum_along(middle, y, 1, rows)
    np.multiply(y, scale, out=y)


def avg_pool_gradient(dy: Array, dx: Array, dmiddle: Array, scale: Array, rows: Axis, columns: Axis) -> None:
    """dx = the sum of scale ⊙ dy over the windows that a cell is in; dy is overwritten."""
    np.multiply(dy, scale, out=dy)
    _spread_along(dy, dmiddle, 1, rows)
    _spread_along(dmiddle, dx, 2, columns)


def _at(axis: int, span: slice) -> tuple[slice, ...]:
    return (*[slice(None)] * axis, span)


def _max_along(x: Array, y: Array, axis: int, window: Axis) -> None:
    if window.kernel == 1 or window.padded:
        y.fill(-np.inf)
        start = 0
    else:
        first, second = (x[_at(axis, window.span(i)[1])] for i in (0, 1))
        np.maximum(first, second, out=y)
        start = 2
    for i in range(start, window.kernel):
        out, cells = (_at(axis, span) for span in window.span(i))
        np.maximum(y[out], x[cells], out=y[out])


def _route_along(x: Array, y: Array, dy: Array, dx: Array, part: Array, axis: int, window: Axis) -> None:
    """What remains of dy after the last cell but one belongs to the last, where there is one."""
    _prepare(dx, window)
    for i in range(window.kernel):
        out, cells = (_at(axis, span) for span in window.span(i))
        if i == window.kernel - 1 and not window.padded:
            _put(dx[cells], dy, window)
            return
        chosen = part[out]
        np.equal(x[cells], y[out], out=chosen)
        np.multiply(chosen, dy[out], out=chosen)
        _put(dx[cells], chosen, window)
        np.subtract(dy[out], chosen, out=dy[out])


def _prepare(dx: Array, window: Axis) -> None:
    """Zero what no window will write, or several will add to."""
    if not window.tiles:
        dx.fill(0)


def _put(cells: Array, values: Array, window: Axis) -> None:
    """Where windows lie apart each cell is written once."""
    if window.stride >= window.kernel:
        np.copyto(cells, values)
    else:
        np.add(cells, values, out=cells)


def _sum_along(x: Array, y: Array, axis: int, window: Axis) -> None:
    y.fill(0)
    for i in range(window.kernel):
        out, cells = (_at(axis, span) for span in window.span(i))
        np.add(y[out], x[cells], out=y[out])


def _spread_along(dy: Array, dx: Array, axis: int, window: Axis) -> None:
    _prepare(dx, window)
    for i in range(window.kernel):
        out, cells = (_at(axis, span) for span in window.span(i))
        _put(dx[cells], dy[out], window)
