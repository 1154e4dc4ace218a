"""Windows' shares back to the image, each number moved once. NumPy lays windows out as fast as a compiled loop."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.window import Axis

__all__ = ["col2im", "taps_first"]

Array = npt.NDArray[Any]
taps_first = False


@compiled
def col2im(dcols: Array, dx: Array, rows: Axis, columns: Axis) -> None:
    """dcols (n, oh, ow, kh, kw, C): a window after the other."""
    for n in range(dx.shape[0]):
        dx[n] = 0
        for oh in range(rows.out):
            for ow in range(columns.out):
                for i in range(rows.kernel):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for j in range(columns.kernel):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell, share = dx[n, h, w], dcols[n, oh, ow, i, j]
                        for c in range(cell.size):
                            cell[c] += share[c]
