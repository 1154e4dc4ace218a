"""Windows' shares back to the image, each number moved once. Laying windows out is as fast in NumPy."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.window import Axis

__all__ = ["col2im"]

Array = npt.NDArray[Any]


@compiled
def col2im(dcols: Array, dx: Array, rows: Axis, columns: Axis) -> None:
    channels = dx.shape[3]
    for n in range(dx.shape[0]):
        dx[n] = 0
        for i in range(rows.kernel):
            for j in range(columns.kernel):
                for oh in range(rows.out):
                    h = oh * rows.stride + i * rows.dilation - rows.before
                    if h < 0 or h >= rows.size:
                        continue
                    for ow in range(columns.out):
                        w = ow * columns.stride + j * columns.dilation - columns.before
                        if w < 0 or w >= columns.size:
                            continue
                        cell, share = dx[n, h, w], dcols[i, j, n, oh, ow]
                        for c in range(channels):
                            cell[c] += share[c]
