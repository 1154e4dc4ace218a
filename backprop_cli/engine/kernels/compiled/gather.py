"""Rows of raw bytes to a batch of scaled floats, in one pass."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled

__all__ = ["gather_scaled"]

Array = npt.NDArray[Any]


@compiled
def gather_scaled(source: Array, rows: Array, by: float, offset: float, raw: Array, x: Array) -> None:
    real = x.dtype.type
    factor, shift = real(by), real(offset)
    for n in range(rows.size):
        row = source[rows[n]]
        for i in range(row.size):
            x[n, i] = real(row[i]) * factor + shift
