"""Batches that compiled kernels can make alone: rows gathered by index from memory, and scaled."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from backprop_cli.data.arrays import Array
from backprop_cli.data.gather import moved


@dataclass(frozen=True)
class Feed:
    """What such batches are made of: `fill` does what `Batches.epoch` does for each of them."""

    source: Array  # (N, numbers of a row)
    targets: Array  # (N, …)
    scale: tuple[float, float] | None  # factor and offset of bytes; None where rows are taken as they are
    order: Callable[[int], Array]  # the row numbers of an epoch

    def fill(self, kernels: Any, rows: Array, coming: Array, raw: Array, x: Array, y: Array) -> None:
        """Write the rows numbered `rows` (n,) into x and y, each (n, …); `coming` are the row numbers of the next
        batch, `raw` is scratch memory of the source's dtype in the shape of x."""
        if self.scale is not None:
            kernels.gather_scaled(self.source, rows, coming, *self.scale, raw, x.reshape(len(x), -1))
        else:
            kernels.gather(moved(self.source), rows, moved(x))
        kernels.gather(moved(self.targets), rows, moved(y))
