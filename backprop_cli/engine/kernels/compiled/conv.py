"""Convolution by windows laid out as a matrix, a few images at a time so that it stays in the cache.

The batch is cut into shares, a thread each with a part of the scratch memory of its own.
"""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import SHARES, add_up, compiled, parallel
from backprop_cli.engine.kernels.compiled.gemm import product
from backprop_cli.engine.window import Axis

__all__ = ["convolve", "input_gradient", "kernel_gradient"]

Array = npt.NDArray[Any]


def _whole(x: Array, padded: Array | None) -> Array:
    """Contiguous images (…, H, W·C): those of x, or the frames through which x goes if it is padded or has gaps."""
    images = x if padded is None else padded
    return images.reshape(len(images), images.shape[1], -1)


@compiled
def _frame(x: Array, image: Array, rows: Axis, columns: Axis) -> None:
    """One image (H, W, C) with zeros around it."""
    channels = x.shape[2]
    image[:] = 0
    for h in range(x.shape[0]):
        for w in range(x.shape[1]):
            start = (columns.before + w) * channels
            cell, copy = x[h, w], image[rows.before + h, start : start + channels]
            for c in range(channels):
                copy[c] = cell[c]


@compiled
def _unframe(image: Array, dx: Array, rows: Axis, columns: Axis) -> None:
    channels = dx.shape[2]
    for h in range(dx.shape[0]):
        for w in range(dx.shape[1]):
            start = (columns.before + w) * channels
            cell, copy = image[rows.before + h, start : start + channels], dx[h, w]
            for c in range(channels):
                copy[c] = cell[c]


@compiled
def _pieces(columns: Axis, channels: int) -> tuple[int, int, int]:
    """Of a row of a window: how many pieces lie together in memory, their length, and from one to the next."""
    if columns.dilation == 1:
        return 1, columns.kernel * channels, 0
    return columns.kernel, channels, columns.dilation * channels


@compiled
def _lay_out(image: Array, cols: Array, rows: Axis, columns: Axis, channels: int) -> None:
    """The windows of one image (H, W·C) as rows of cols."""
    pieces, run, hop = _pieces(columns, channels)
    for oh in range(rows.out):
        for i in range(rows.kernel):
            row = image[oh * rows.stride + i * rows.dilation]
            for j in range(pieces):
                start = (i * pieces + j) * run
                for ow in range(columns.out):
                    first = ow * columns.stride * channels + j * hop
                    given, taken = row[first : first + run], cols[oh * columns.out + ow, start : start + run]
                    for k in range(run):
                        taken[k] = given[k]


@compiled
def _put_back(dcols: Array, image: Array, rows: Axis, columns: Axis, channels: int) -> None:
    """Each window's share summed where the window was."""
    pieces, run, hop = _pieces(columns, channels)
    image[:] = 0
    for oh in range(rows.out):
        for i in range(rows.kernel):
            row = image[oh * rows.stride + i * rows.dilation]
            for j in range(pieces):
                start = (i * pieces + j) * run
                for ow in range(columns.out):
                    first = ow * columns.stride * channels + j * hop
                    sums, share = row[first : first + run], dcols[oh * columns.out + ow, start : start + run]
                    for k in range(run):
                        sums[k] += share[k]


@compiled
def _plan(n: int, patches: Array, numbers: int) -> tuple[int, int, int]:
    """(images of a share, images at once, where a share's scratch memory ends)."""
    slot = patches.size // SHARES
    return -(-n // SHARES), slot // numbers, slot


@compiled
def _windows(
    x: Array, whole: Array, framed: bool, slot: int, first: int, cols: Array, rows: Axis, columns: Axis
) -> None:
    """The windows of the images from the first on as rows of cols."""
    places = rows.out * columns.out
    for n in range(cols.shape[0] // places):
        image = whole[slot] if framed else whole[first + n]
        if framed:
            _frame(x[first + n], image, rows, columns)
        _lay_out(image, cols[n * places : (n + 1) * places], rows, columns, x.shape[3])


@parallel
def _convolve(
    x: Array,
    whole: Array,
    framed: bool,
    W: Array,
    z: Array,
    patches: Array,
    kept: Array | None,
    rows: Axis,
    columns: Axis,
) -> None:
    places, depth = rows.out * columns.out, W.shape[0]
    share, at_once, slot = _plan(len(x), patches, places * depth)
    for part in prange(SHARES):
        stop = min((part + 1) * share, len(x))
        for first in range(part * share, stop, at_once):
            last = min(first + at_once, stop)
            memory, start = (patches, part * slot) if kept is None else (kept, first * places * depth)
            size = (last - first) * places
            cols = memory[start : start + size * depth].reshape((size, depth))
            _windows(x, whole, framed, part, first, cols, rows, columns)
            product(cols, W, 0, z[first * places : last * places])


def convolve(
    x: Array, W: Array, z: Array, patches: Array, kept: Array | None, padded: Array | None, rows: Axis, columns: Axis
) -> None:
    _convolve(x, _whole(x, padded), padded is not None, W, z, patches, kept, rows, columns)


@parallel
def _kernel_gradient(
    x: Array,
    whole: Array,
    framed: bool,
    delta: Array,
    dW: Array,
    patches: Array,
    kept: Array | None,
    partial: Array,
    rows: Axis,
    columns: Axis,
) -> None:
    places, depth = rows.out * columns.out, dW.shape[0]
    share, at_once, slot = _plan(len(x), patches, places * depth)
    for part in prange(SHARES):
        stop = min((part + 1) * share, len(x))
        sums = partial[part, :, : dW.shape[1]]
        for first in range(part * share, stop, at_once):
            last = min(first + at_once, stop)
            memory, start = (patches, part * slot) if kept is None else (kept, first * places * depth)
            size = (last - first) * places
            cols = memory[start : start + size * depth].reshape((size, depth))
            if kept is None:
                _windows(x, whole, framed, part, first, cols, rows, columns)
            slopes = delta[first * places : last * places]
            product(cols.T, slopes, 0 if first == part * share else 1, sums)
    add_up(partial[: -(-len(x) // share), :, : dW.shape[1]], dW)


def kernel_gradient(
    x: Array,
    delta: Array,
    dW: Array,
    patches: Array,
    kept: Array | None,
    padded: Array | None,
    partial: Array,
    rows: Axis,
    columns: Axis,
) -> None:
    _kernel_gradient(x, _whole(x, padded), padded is not None, delta, dW, patches, kept, partial, rows, columns)


@parallel
def _input_gradient(
    delta: Array, W: Array, dx: Array, whole: Array, framed: bool, patches: Array, rows: Axis, columns: Axis
) -> None:
    places, depth = rows.out * columns.out, W.shape[0]
    share, at_once, slot = _plan(len(dx), patches, places * depth)
    for part in prange(SHARES):
        stop = min((part + 1) * share, len(dx))
        for first in range(part * share, stop, at_once):
            last = min(first + at_once, stop)
            size = (last - first) * places
            dcols = patches[part * slot : part * slot + size * depth].reshape((size, depth))
            product(delta[first * places : last * places], W.T, 0, dcols)
            for n in range(last - first):
                image = whole[part] if framed else whole[first + n]
                _put_back(dcols[n * places : (n + 1) * places], image, rows, columns, dx.shape[3])
                if framed:
                    _unframe(image, dx[first + n], rows, columns)


def input_gradient(
    delta: Array, W: Array, dx: Array, patches: Array, padded: Array | None, rows: Axis, columns: Axis
) -> None:
    _input_gradient(delta, W, dx, _whole(dx, padded), padded is not None, patches, rows, columns)
