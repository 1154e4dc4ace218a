"""Rows of a dataset to a batch; raw bytes become scaled floats in the same pass."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import SHARES, compiled, parallel
from backprop_cli.engine.kernels.compiled.prefetch import prefetch

__all__ = ["gather", "gather_scaled"]

LINE = 64  # bytes of a cache line
Array = npt.NDArray[Any]


@parallel
def gather(source: Array, rows: Array, x: Array) -> None:
    share = -(-rows.size // SHARES)
    for part in prange(SHARES):
        for n in range(part * share, min(rows.size, (part + 1) * share)):
            row = source[rows[n]]
            for i in range(row.size):
                x[n, i] = row[i]


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
