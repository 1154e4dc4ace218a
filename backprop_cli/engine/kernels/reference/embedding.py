"""Rows of a table that a batch looks up: their gradient, and updates of these rows alone.

`touched` (3, V + 1): how many rows this batch has looked up, and which, in the order in which they came; where in that
list a row is; how many the batch before has looked up, and which. Every other row of the gradient is 0. Where the first
number is −1 nobody asks for a list, and the gradient is written whole.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["adam_rows", "inner_rows", "scatter_rows", "sgd_rows"]


def scatter_rows(ids: Array, rows: Array, work: Array, table: Array, touched: Array) -> None:
    """table[i] = Σ rows[k] over the k with ids[k] = i, else 0. `rows` and `work` (M, D) are scratch afterwards.

    Rows of one id are brought together by a stable sort, so that the sum has the same order every time.
    """
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    np.take(rows, order, axis=0, out=work, mode="clip")
    starts = np.flatnonzero(np.diff(sorted_ids, prepend=-1))
    sums = rows[: len(starts)]
    np.add.reduceat(work, starts, axis=0, out=sums)
    if touched[0, 0] < 0:
        table[...] = 0
    else:
        touched[2, : touched[0, 0] + 1] = touched[0, : touched[0, 0] + 1]
        table[_rows(touched[2])] = 0
        touched[0, 0] = len(starts)
        touched[0, 1 : len(starts) + 1] = ids[np.sort(order[starts])]
        touched[1, _rows(touched[0])] = np.arange(1, len(starts) + 1)
    table[sorted_ids[starts]] = sums


def inner_rows(a: Array, b: Array, touched: Array) -> float:
    """Σ a b over the rows of this batch and over those of the one before; what is in both counts twice."""
    return float(sum(np.vdot(a[rows], b[rows]) for rows in (_rows(touched[0]), _rows(touched[2]))))


def sgd_rows(w: Array, g: Array, touched: Array, rate: float) -> None:
    """w ← w − rate g in the rows of this batch"""
    rows = _rows(touched[0])
    w[rows] -= g.dtype.type(rate) * g[rows]


def adam_rows(
    w: Array, g: Array, m: Array, v: Array, touched: Array, rate: float, beta_1: float, beta_2: float, epsilon: float
) -> None:
    """Adam's update of the rows of this batch: m ← β₁ m + g, v ← β₂ v + g², w ← w − rate m / (√v + ε). What m and v
    forget becomes 0 below 10⁻²⁸, as numbers beside 0 are slow."""
    rows = _rows(touched[0])
    slope = g[rows]
    first, second = m[rows] * m.dtype.type(beta_1) + slope, v[rows] * v.dtype.type(beta_2) + slope * slope
    first[np.abs(first) < 1e-28] = 0
    second[second < 1e-28] = 0
    m[rows], v[rows] = first, second
    w[rows] -= w.dtype.type(rate) * first / (np.sqrt(second) + w.dtype.type(epsilon))


def _rows(listed: Array) -> Array:
    return listed[1 : listed[0] + 1]
