"""Convolution's data movement: windows to rows of a matrix, and back.

Images are (n, H, W, C), a sequence is an image of one row; `rows` and `columns` say where the window
stands along H and W.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from backprop_cli.engine.window import Axis

__all__ = ["col2im", "depthwise", "depthwise_input_gradient", "depthwise_kernel_gradient", "im2col", "taps_first"]

Array = npt.NDArray[Any]
taps_first = True  # the order in which col2im wants the windows' shares: all places of a tap side by side
WIDE = 4  # channels from which copying whole window rows beats copying cell by cell


def im2col(x: Array, cols: Array, padded: Array | None, rows: Axis, columns: Axis) -> None:
    """Copy every window of x (n, H, W, C) into cols (n, oh, ow, kh, kw, C).

    `padded` (n, H + …, W + …, C) is scratch memory, needed where there is padding.
    """
    if padded is not None:
        padded.fill(0)
        inner = padded[:, rows.before : rows.before + rows.size, columns.before : columns.before + columns.size]
        np.copyto(inner, x)
        x = padded
    n, _, _, c = x.shape
    sn, sh, sw, sc = x.strides
    shape = (n, rows.out, columns.out, rows.kernel, columns.kernel, c)
    strides = (sn, rows.stride * sh, columns.stride * sw, rows.dilation * sh, columns.dilation * sw, sc)
    windows = as_strided(x, shape, strides)
    if c >= WIDE:
        np.copyto(cols, windows)
        return
    for i in range(rows.kernel):
        for j in range(columns.kernel):
            np.copyto(cols[:, :, :, i, j], windows[:, :, :, i, j])


def col2im(dcols: Array, dx: Array, rows: Axis, columns: Axis) -> None:
    """Sum dcols (kh, kw, n, oh, ow, C) into dx (n, H, W, C), each number where its window took it from."""
    dx[...] = 0
    for (i, oh, h), (j, ow, w) in product(_spans(rows), _spans(columns)):
        cells = dx[:, h, w]
        np.add(cells, dcols[i, j, :, oh, ow], out=cells)


def depthwise(x: Array, W: Array, y: Array, scratch: Array, rows: Axis, columns: Axis) -> None:
    """Filter every channel by itself: x (n, H, W, C), W (kh, kw, C, M), y (n, oh, ow, C, M).

    `scratch` is scratch memory like y.
    """
    y.fill(0)
    for (i, oh, h), (j, ow, w) in product(_spans(rows), _spans(columns)):
        part, cells = scratch[:, oh, ow], y[:, oh, ow]
        np.multiply(x[:, h, w, :, None], W[i, j], out=part)
        np.add(cells, part, out=cells)


def depthwise_kernel_gradient(x: Array, dy: Array, dW: Array, scratch: Array, rows: Axis, columns: Axis) -> None:
    """dW = Σ x dy over images and places; shapes as in `depthwise`."""
    for (i, oh, h), (j, ow, w) in product(_spans(rows), _spans(columns)):
        part = scratch[:, oh, ow]
        np.multiply(x[:, h, w, :, None], dy[:, oh, ow], out=part)
        np.sum(part, axis=(0, 1, 2), out=dW[i, j])


def depthwise_input_gradient(dy: Array, W: Array, dx: Array, scratch: Array, rows: Axis, columns: Axis) -> None:
    """dx = dy W, each where its x was; shapes as in `depthwise`."""
    dx.fill(0)
    for (i, oh, h), (j, ow, w) in product(_spans(rows), _spans(columns)):
        part, cells = scratch[:, oh, ow], dx[:, h, w]
        np.multiply(dy[:, oh, ow], W[i, j], out=part)
        for m in range(W.shape[-1]):
            np.add(cells, part[..., m], out=cells)


def _spans(axis: Axis) -> list[tuple[int, slice, slice]]:
    return [(i, *axis.span(i)) for i in range(axis.kernel)]
