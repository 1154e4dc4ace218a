"""Normalisation of groups of channels, an example's group at a time while it is in the cache."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["group_norm", "group_norm_gradient"]

Array = npt.NDArray[Any]


@compiled
def group_norm(
    x: Array, y: Array, gamma: Array, beta: Array, mean: Array, inverse: Array, epsilon: float, scratch: Array
) -> None:
    real = x.dtype.type
    one, eps, share = real(1), real(epsilon), real(1 / (x.shape[1] * x.shape[3]))
    for n in range(x.shape[0]):
        for group in range(x.shape[2]):
            total = real(0)
            for s in range(x.shape[1]):
                cell = x[n, s, group]
                for c in range(cell.size):
                    total += cell[c]
            middle = total * share
            total = real(0)
            for s in range(x.shape[1]):
                cell = x[n, s, group]
                for c in range(cell.size):
                    total += (cell[c] - middle) * (cell[c] - middle)
            scale = one / np.sqrt(total * share + eps)
            mean[n, 0, group, 0], inverse[n, 0, group, 0] = middle, scale
            weight, shift = gamma[group], beta[group]
            for s in range(x.shape[1]):
                cell, out = x[n, s, group], y[n, s, group]
                for c in range(cell.size):
                    out[c] = (cell[c] - middle) * scale * weight[c] + shift[c]


@compiled
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
    real = x.dtype.type
    share = real(1 / (x.shape[1] * x.shape[3]))
    dgamma[:] = 0
    dbeta[:] = 0
    for n in range(x.shape[0]):
        for group in range(x.shape[2]):
            middle, scale = mean[n, 0, group, 0], inverse[n, 0, group, 0]
            weight, dweight, dshift = gamma[group], dgamma[group], dbeta[group]
            along, level = real(0), real(0)  # Σ g x̂ and Σ g
            for s in range(x.shape[1]):
                cell, slope = x[n, s, group], dy[n, s, group]
                for c in range(cell.size):
                    dweight[c] += slope[c] * (cell[c] - middle) * scale
                for c in range(cell.size):
                    dshift[c] += slope[c]
                for c in range(cell.size):
                    g = slope[c] * weight[c]
                    level += g
                    along += g * (cell[c] - middle)
            if dx is None:
                continue
            level *= share
            along *= share * scale * scale
            for s in range(x.shape[1]):
                cell, slope, out = x[n, s, group], dy[n, s, group], dx[n, s, group]
                for c in range(cell.size):
                    out[c] = scale * (slope[c] * weight[c] - level - (cell[c] - middle) * along)
