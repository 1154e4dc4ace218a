"""The gradient of looking up rows of a table."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["scatter_rows"]


def scatter_rows(ids: Array, rows: Array, work: Array, table: Array) -> None:
    """table[i] = Σ rows[k] over the k with ids[k] = i, else 0. `rows` and `work` (M, D) are scratch afterwards.

    Rows of one id are brought together by a stable sort, so that the sum has the same order every time.
    """
    order = np.argsort(ids, kind="stable")
    sorted_ids = ids[order]
    np.take(rows, order, axis=0, out=work, mode="clip")
    starts = np.flatnonzero(np.diff(sorted_ids, prepend=-1))
    sums = rows[: len(starts)]
    np.add.reduceat(work, starts, axis=0, out=sums)
    table[...] = 0
    table[sorted_ids[starts]] = sums
