"""Convolution's data movement: windows to rows of a matrix, and back.

Images are (n, H, W, C), a sequence is an image of one row; `rows` and `columns` say where the window
stands along H and W.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import as_strided

from backprop_cli.engine.window import Axis

__all__ = ["col2im", "depthwise", "depthwise_gradient", "im2col"]

Array = npt.NDArray[Any]
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
    for i in range(rows.kernel):
        oh, h = rows.span(i)
        for j in range(columns.kernel):
            ow, w = columns.span(j)
            cells = dx[:, h, w]
            np.add(cells, dcols[i, j, :, oh, ow], out=cells)


def depthwise(x: Array, W: Array, y: Array, product: Array, rows: Axis, columns: Axis) -> None:
    """Filter every channel by itself: x (n, H, W, C, 1), W (kh, kw, C, M), y (n, oh, ow, C, M).

    `product` is scratch memory like y.
    """
    y.fill(0)
    for i in range(rows.kernel):
        oh, h = rows.span(i)
        for j in range(columns.kernel):
            ow, w = columns.span(j)
            part, cells = product[:, oh, ow], y[:, oh, ow]
            np.multiply(x[:, h, w], W[i, j], out=part)
            np.add(cells, part, out=cells)


def depthwise_gradient(
    x: Array, W: Array, dy: Array, dW: Array, dx: Array | None, product: Array, rows: Axis, columns: Axis
) -> None:
    """dW and, unless it is None, dx of `depthwise`; shapes as there."""
    if dx is not None:
        dx.fill(0)
    for i in range(rows.kernel):
        oh, h = rows.span(i)
        for j in range(columns.kernel):
            ow, w = columns.span(j)
            part, delta = product[:, oh, ow], dy[:, oh, ow]
            np.multiply(x[:, h, w], delta, out=part)
            np.sum(part, axis=(0, 1, 2), out=dW[i, j])
            if dx is not None:
                np.multiply(delta, W[i, j], out=part)
                for m in range(W.shape[-1]):
                    cells = dx[:, h, w, :, 0]
                    np.add(cells, part[..., m], out=cells)
