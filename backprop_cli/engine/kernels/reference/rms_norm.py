"""Normalisation of rows by their root mean square: x (M, F), inverse (M, 1), gamma (F,)."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels.reference.channels import sum_channels

__all__ = ["rms_norm", "rms_norm_gradient"]


def rms_norm(x: Array, y: Array, gamma: Array, inverse: Array, epsilon: float) -> None:
    """y = γ x inverse, with inverse = 1 / √(mean x² + epsilon)"""
    np.multiply(x, x, out=y)
    np.mean(y, axis=-1, keepdims=True, out=inverse)
    np.add(inverse, epsilon, out=inverse)
    np.sqrt(inverse, out=inverse)
    np.reciprocal(inverse, out=inverse)
    np.multiply(x, inverse, out=y)
    np.multiply(y, gamma, out=y)


def rms_norm_gradient(
    x: Array,
    dy: Array,
    dx: Array | None,
    gamma: Array,
    inverse: Array,
    dgamma: Array,
    tile: Array,
    scratch: Array,
    moment: Array,
) -> None:
    """dγ = Σ dy x̂; dx = inverse (g − x̂ mean(g x̂)) with g = γ dy and x̂ = x inverse, unless dx is None.

    dy is overwritten; `scratch` is memory like x, `moment` like inverse, `tile` (places, F) for `sum_channels`.
    """
    np.multiply(x, inverse, out=scratch)
    product = scratch if dx is None else dx
    np.multiply(scratch, dy, out=product)
    sum_channels(product.reshape(-1, *tile.shape), dgamma, tile)
    if dx is None:
        return
    np.multiply(dy, gamma, out=dy)
    np.multiply(dy, scratch, out=dx)
    np.mean(dx, axis=-1, keepdims=True, out=moment)
    np.multiply(scratch, moment, out=scratch)
    np.subtract(dy, scratch, out=dy)
    np.multiply(dy, inverse, out=dx)
