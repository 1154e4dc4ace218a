"""What metrics of values share that are told for each output, as the mean over the outputs."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

MOMENTS = 4  # rows of a block of `merge`


def rows_of(y: Array, target: Array) -> tuple[Array, Array]:
    """Outputs and targets as (rows, K) in float64."""
    rows = y.reshape(-1, y.shape[-1] if y.ndim > 1 else 1).astype(np.float64)
    return rows, target.reshape(rows.shape).astype(np.float64)


def merge(block: Array, values: Array) -> None:
    """Take a batch of values (rows, K) into a block (4, K): how many, the first, the mean counted from there, and the
    squares about the mean. Merged as in Chan, Golub & LeVeque 1983, doi:10.2307/2683386."""
    n, first, mean, squares = block
    if not n.any():
        first[...] = values[0]  # counted from there, equal values have a variance of exactly 0
    about = values - first
    batch_mean = about.mean(axis=0)
    about -= batch_mean
    delta, share = batch_mean - mean, len(values) / (n + len(values))
    squares += np.einsum("nk,nk->k", about, about) + delta**2 * n * share
    mean += delta * share
    n += len(values)


def explained(left: Array, there: Array) -> float:
    """The mean of 1 − left / there over outputs; where nothing is there to explain 1 if nothing is left, else 0."""
    ratios = np.divide(left, there, out=(left > 0).astype(float), where=there > 0)
    return float(np.mean(1 - ratios))
