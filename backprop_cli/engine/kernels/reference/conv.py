"""Convolution: the windows of a few images at a time as the rows of a matrix, its products, and back.

Images are (n, H, W, C), a sequence is an image of one row; `rows` and `columns` say where the window
stands along H and W. z and δ are matrices (n·oh·ow, O), W is (kh·kw·C, O). `patches` is scratch memory for the
windows of as many images as go through at once, and `padded` for those images where there is padding or x holds
some of the channels only; None elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

import numpy as np
from numpy.lib.stride_tricks import as_strided

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.window import Axis

__all__ = [
    "convolve",
    "depthwise",
    "depthwise_input_gradient",
    "depthwise_kernel_gradient",
    "input_gradient",
    "kernel_gradient",
]

WIDE = 4  # channels from which copying whole window rows beats copying cell by cell


def convolve(x: Array, W: Array, z: Array, patches: Array, padded: Array | None, rows: Axis, columns: Axis) -> None:
    """z = the windows of x times W."""
    for some, places, memory in _portions(len(x), len(W), patches, padded, rows, columns):
        np.matmul(_lay_out(x[some], memory, padded, rows, columns), W, out=z[places])


def kernel_gradient(
    x: Array,
    delta: Array,
    dW: Array,
    patches: Array,
    padded: Array | None,
    partial: Array,
    rows: Axis,
    columns: Axis,
) -> None:
    """dW = the windows of x, transposed, times δ. `partial` (shares, …) is scratch memory like dW."""
    part = partial[0, :, : dW.shape[1]]
    for some, places, memory in _portions(len(x), len(dW), patches, padded, rows, columns):
        cols = _lay_out(x[some], memory, padded, rows, columns)
        np.matmul(cols.T, delta[places], out=dW if some.start == 0 else part)
        if some.start > 0:
            np.add(dW, part, out=dW)


def input_gradient(
    delta: Array, W: Array, dx: Array, patches: Array, padded: Array | None, rows: Axis, columns: Axis
) -> None:
    """dx = δ Wᵀ, each window's share summed where the window was."""
    channels = dx.shape[-1]
    taps = W.reshape(-1, channels, W.shape[1]).transpose(0, 2, 1)  # all places of a tap side by side
    for some, places, memory in _portions(len(dx), len(W), patches, padded, rows, columns):
        np.matmul(delta[places], taps, out=memory.reshape(len(taps), -1, channels))
        shape = (rows.kernel, columns.kernel, some.stop - some.start, rows.out, columns.out, channels)
        _put_back(memory.reshape(shape), dx[some], rows, columns)


def _portions(
    n: int, depth: int, patches: Array, padded: Array | None, rows: Axis, columns: Axis
) -> Iterator[tuple[slice, slice, Array]]:
    """(some images, their rows in z, memory for their windows)."""
    positions = rows.out * columns.out
    numbers = positions * depth
    step = min(patches.size // numbers, n if padded is None else len(padded))
    for start in range(0, n, step):
        some = slice(start, min(start + step, n))
        yield some, slice(start * positions, some.stop * positions), patches[: (some.stop - start) * numbers]


def _lay_out(x: Array, memory: Array, padded: Array | None, rows: Axis, columns: Axis) -> Array:
    """Every window of x (n, H, W, C) as a row (n·oh·ow, kh·kw·C), in `memory`."""
    n, _, _, c = x.shape
    if padded is not None and (rows.padded or columns.padded):
        padded = padded[:n]
        padded.fill(0)
        inner = padded[:, rows.before : rows.before + rows.size, columns.before : columns.before + columns.size]
        np.copyto(inner, x)
        x = padded
    sn, sh, sw, sc = x.strides
    shape = (n, rows.out, columns.out, rows.kernel, columns.kernel, c)
    strides = (sn, rows.stride * sh, columns.stride * sw, rows.dilation * sh, columns.dilation * sw, sc)
    windows, cols = as_strided(x, shape, strides), memory.reshape(shape)
    if c >= WIDE:
        np.copyto(cols, windows)
    else:
        for i in range(rows.kernel):
            for j in range(columns.kernel):
                np.copyto(cols[:, :, :, i, j], windows[:, :, :, i, j])
    return memory.reshape(n * rows.out * columns.out, -1)


def _put_back(dcols: Array, dx: Array, rows: Axis, columns: Axis) -> None:
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
