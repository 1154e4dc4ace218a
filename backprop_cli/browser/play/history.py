"""The past steps of a training that can be restored."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backprop_cli.engine.arrays import Array
from backprop_cli.training.loop import Loop

STEPS = 1000  # that can be gone back
BYTES = 256 << 20  # that the snapshots of them may take


@dataclass(frozen=True)
class Snapshot:
    """All that the loop depends on, after `step` steps."""

    step: int
    arrays: Mapping[str, Array]
    values: Mapping[str, Any]


class History:
    """Snapshots of the last `STEPS` steps: after every one where they fit into `BYTES`, else after every k-th. A step
    between two is computed again from the earlier one, with the same bits, as in a resumed training."""

    def __init__(self) -> None:
        self._kept: deque[Snapshot] = deque()
        self.every = 1

    def note(self, loop: Loop) -> None:
        """Take a snapshot of the present state, if one is due."""
        if self._kept and loop.step - self._kept[-1].step < self.every:
            return
        arrays, values = loop.state_dict()
        kept = {name: array.copy() for name, array in arrays.items()}
        if not self._kept:
            size = sum(array.nbytes for array in kept.values())
            self.every = max(1, -(-STEPS * size // BYTES))
        self._kept.append(Snapshot(loop.step, kept, values))
        while len(self._kept) > 1 and self._kept[1].step <= loop.step - STEPS:
            self._kept.popleft()

    @property
    def oldest(self) -> int:
        """The earliest step that can be gone back to."""
        return self._kept[0].step

    def back_to(self, step: int) -> Snapshot:
        """The newest snapshot at or before this step; later ones are dropped."""
        while len(self._kept) > 1 and self._kept[-1].step > step:
            self._kept.pop()
        return self._kept[-1]
