"""Rows of raw bytes to a batch of scaled floats, in one pass."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.kernels.compiled.prefetch import prefetch

__all__ = ["gather_scaled"]

LINE = 64  # bytes of a cache line
Array = npt.NDArray[Any]


@compiled
def gather_scaled(source: Array, rows: Array, coming: Array, by: float, offset: float, raw: Array, x: Array) -> None:
    for n in range(coming.size):
        row = source[coming[n]]
        for i in range(0, row.size, LINE):
            prefetch(row, i)  # type: ignore[call-arg]  # Numba fills in `typing`
    real = x.dtype.type
    factor, shift = real(by), real(offset)
    for n in range(rows.size):
        row = source[rows[n]]
        for i in range(row.size):
            x[n, i] = real(row[i]) * factor + shift
