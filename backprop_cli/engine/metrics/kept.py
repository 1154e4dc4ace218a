"""What metrics share that need every row of an epoch at its end, because they sort."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric


@dataclass(kw_only=True)
class Kept(Metric):
    """Keeps rows of numbers. `totals` holds how many numbers a row has, then the rows."""

    size: ClassVar[int] = 0
    least: ClassVar[int] = 1  # numbers of a row

    def reset(self) -> None:
        self.totals = np.zeros(0)

    def keep(self, rows: Array) -> None:
        """Append rows (n, width), in memory that doubles when it is full."""
        if self._empty:  # or of an older layout
            self.totals = np.zeros(0)
            rows = np.insert(rows.reshape(-1), 0, rows.shape[1])
        n, more = self.totals.size, rows.size
        room = self.memory.get("kept")
        if room is None or room.size < n + more or (n and self.totals.base is not room):
            room = self.memory["kept"] = np.empty(2 * (n + more))
            room[:n] = self.totals
        room[n : n + more] = rows.reshape(-1)
        self.totals = room[: n + more]

    @property
    def kept(self) -> Array | None:
        """All rows (N, width); None before the first."""
        return None if self._empty else self.totals[1:].reshape(-1, int(self.totals[0]))

    @property
    def _empty(self) -> bool:
        return not self.totals.size or self.totals[0] < self.least
