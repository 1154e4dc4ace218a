"""Normalisation of groups of channels, example by example: x (n, S, G, c), S places, G groups of c channels.
Layer normalisation is the case of one place and one group.

gamma and beta are (G, c); mean and inverse (n, 1, G, 1) are left by the forward pass for the backward one.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels.reference.channels import sum_channels

__all__ = ["group_norm", "group_norm_gradient"]

WITHIN = (1, 3)  # the axes of a group


def group_norm(
    x: Array, y: Array, gamma: Array, beta: Array, mean: Array, inverse: Array, epsilon: float, scratch: Array
) -> None:
    """y = γ (x − mean) inverse + β, with inverse = 1 / √(variance + epsilon); `scratch` is memory like x."""
    np.mean(x, axis=WITHIN, keepdims=True, out=mean)
    np.subtract(x, mean, out=y)
    np.multiply(y, y, out=scratch)
    np.mean(scratch, axis=WITHIN, keepdims=True, out=inverse)
    np.add(inverse, epsilon, out=inverse)
    np.sqrt(inverse, out=inverse)
    np.reciprocal(inverse, out=inverse)
    np.multiply(y, inverse, out=y)
    np.multiply(y, gamma, out=y)
    np.add(y, beta, out=y)


def group_norm_gradient(
    x: Array,
    dy: Array,
    dx: Array | None,
    gamma: Array,
    mean: Array,
    inverse: Array,
    dgamma: Array,
    dbeta: Array,
    tile: Array,
    scratch: Array,
    moment: Array,
) -> None:
    """dγ = Σ dy x̂, dβ = Σ dy; dx = inverse (g − mean g − x̂ mean(g x̂)) with g = γ dy, unless dx is None.

    dy is overwritten; `scratch` is memory like x, `moment` like mean, `tile` (places, G·c) for `sum_channels`.
    """
    rows = (-1, *tile.shape)
    np.subtract(x, mean, out=scratch)
    np.multiply(scratch, inverse, out=scratch)
    product = scratch if dx is None else dx
    np.multiply(scratch, dy, out=product)
    sum_channels(product.reshape(rows), dgamma.reshape(-1), tile)
    sum_channels(dy.reshape(rows), dbeta.reshape(-1), tile)
    if dx is None:
        return
    np.multiply(dy, gamma, out=dy)
    np.multiply(dy, scratch, out=dx)
    np.mean(dx, axis=WITHIN, keepdims=True, out=moment)
    np.multiply(scratch, moment, out=scratch)
    np.mean(dy, axis=WITHIN, keepdims=True, out=moment)
    np.subtract(dy, moment, out=dy)
    np.subtract(dy, scratch, out=dy)
    np.multiply(dy, inverse, out=dx)
