"""Batch normalisation of x (n, S, C): two passes for the statistics, one to apply them, two for the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["batch_norm", "batch_norm_gradient", "batch_statistics"]

Array = npt.NDArray[Any]


@compiled
def batch_statistics(x: Array, mean: Array, variance: Array, tile: Array, scratch: Array) -> None:
    share = x.dtype.type(1 / (x.shape[0] * x.shape[1]))
    mean[:] = 0
    variance[:] = 0
    for n in range(x.shape[0]):
        some = tile[0]
        some[:] = 0
        for s in range(x.shape[1]):
            row = x[n, s]
            for c in range(row.size):
                some[c] += row[c]
        for c in range(some.size):
            mean[c] += some[c]
    for c in range(mean.size):
        mean[c] *= share
    for n in range(x.shape[0]):
        some = tile[0]
        some[:] = 0
        for s in range(x.shape[1]):
            row = x[n, s]
            for c in range(row.size):
                some[c] += (row[c] - mean[c]) * (row[c] - mean[c])
        for c in range(some.size):
            variance[c] += some[c]
    for c in range(mean.size):
        variance[c] *= share


@compiled
def batch_norm(x: Array, y: Array, mean: Array, scale: Array, shift: Array, tile: Array) -> None:
    for n in range(x.shape[0]):
        for s in range(x.shape[1]):
            row, out = x[n, s], y[n, s]
            for c in range(row.size):
                out[c] = (row[c] - mean[c]) * scale[c] + shift[c]


@compiled
def batch_norm_gradient(
    x: Array,
    dy: Array,
    dx: Array | None,
    mean: Array,
    inverse: Array,
    scale: Array,
    dgamma: Array,
    dbeta: Array,
    tile: Array,
    scratch: Array,
    batch: bool,
) -> None:
    real = x.dtype.type
    dgamma[:] = 0
    dbeta[:] = 0
    along, level = np.empty_like(mean), np.empty_like(mean)
    for n in range(x.shape[0]):
        along[:] = 0
        level[:] = 0
        for s in range(x.shape[1]):
            row, slope = x[n, s], dy[n, s]
            for c in range(row.size):
                level[c] += slope[c]
            for c in range(row.size):
                along[c] += slope[c] * (row[c] - mean[c])
        for c in range(mean.size):
            dbeta[c] += level[c]
            dgamma[c] += along[c] * inverse[c]
    if dx is None:
        return
    share = real(1 / (x.shape[0] * x.shape[1])) if batch else real(0)
    for c in range(mean.size):
        level[c] = dbeta[c] * share
        along[c] = dgamma[c] * inverse[c] * share
    for n in range(x.shape[0]):
        for s in range(x.shape[1]):
            row, slope, out = x[n, s], dy[n, s], dx[n, s]
            for c in range(row.size):
                out[c] = scale[c] * (slope[c] - level[c] - (row[c] - mean[c]) * along[c])
