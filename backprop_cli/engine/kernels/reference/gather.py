"""Rows of a dataset to a batch."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["gather", "gather_scaled"]


def gather(source: Array, rows: Array, x: Array) -> None:
    """x = source[rows];  source (N, I), x (n, I) of one dtype."""
    source.take(rows, 0, x, "clip")


def gather_scaled(source: Array, rows: Array, coming: Array, by: float, offset: float, raw: Array, x: Array) -> None:
    """x = source[rows] · by + offset;  source (N, I), x (n, I), and `raw`, scratch memory like x of source's dtype.

    `coming` are the rows of the next batch, for a machine that can be told to fetch them from memory meanwhile.
    """
    source.take(rows, 0, raw, "clip")
    np.copyto(x, raw, casting="unsafe")
    np.multiply(x, by, out=x)
    if offset:
        np.add(x, offset, out=x)
