"""Batch normalisation of x (n, S, C), channel by channel. `tile` (S, C) and `scratch`, like x, are scratch memory."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels.reference.channels import sum_channels

__all__ = ["batch_norm", "batch_norm_gradient", "batch_statistics"]


def batch_statistics(x: Array, mean: Array, variance: Array, tile: Array, scratch: Array) -> None:
    """mean and (biased) variance of each channel; centred first, so that large means cancel nothing."""
    count = x.size // x.shape[-1]
    sum_channels(x, mean, tile)
    np.divide(mean, count, out=mean)
    np.copyto(tile, mean)
    np.subtract(x, tile, out=scratch)
    np.multiply(scratch, scratch, out=scratch)
    sum_channels(scratch, variance, tile)
    np.divide(variance, count, out=variance)


def batch_norm(x: Array, y: Array, mean: Array, scale: Array, shift: Array, tile: Array) -> None:
    """y = (x − mean) scale + shift"""
    np.copyto(tile, mean)
    np.subtract(x, tile, out=y)
    np.copyto(tile, scale)
    np.multiply(y, tile, out=y)
    np.copyto(tile, shift)
    np.add(y, tile, out=y)


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
    """dgamma = Σ dy x̂ and dbeta = Σ dy with x̂ = (x − mean) inverse; dx, unless it is None, is
    scale (dy − (dbeta + x̂ dgamma) / m) where mean and inverse are the batch's own, scale dy where they are not.

    dy is overwritten.
    """
    batch_norm(x, scratch, mean, inverse, np.zeros_like(mean), tile)
    sum_channels(dy, dbeta, tile)
    if dx is None or not batch:
        np.multiply(scratch, dy, out=scratch)
        sum_channels(scratch, dgamma, tile)
    else:
        np.multiply(scratch, dy, out=dx)
        sum_channels(dx, dgamma, tile)
        count = x.size // x.shape[-1]
        np.copyto(tile, dgamma)
        np.divide(tile, count, out=tile)
        np.multiply(scratch, tile, out=scratch)
        np.subtract(dy, scratch, out=dy)
        np.copyto(tile, dbeta)
        np.divide(tile, count, out=tile)
        np.subtract(dy, tile, out=dy)
    if dx is not None:
        np.copyto(tile, scale)
        np.multiply(dy, tile, out=dx)
