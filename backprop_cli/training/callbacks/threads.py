"""Finds out, while training, whether Numba's kernels are faster on several threads or on one.

Several cost more than they save where the network is small or other processes want the cores. Both are
tried in turn for a few steps, the faster one stays for some seconds, then they are tried again. What is
computed does not depend on it.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from backprop_cli.training.loop import Callback

if TYPE_CHECKING:
    from backprop_cli.training.loop import Loop

ROUNDS, STEPS = 4, 20  # of each candidate, in turn; steps of a round
SECONDS = 5.0  # until they are tried again


class Threads(Callback):
    """The thread count that `numba.set_num_threads` gets."""

    def __init__(self) -> None:
        self._wait = 0  # steps until something changes
        self._trial = 0
        self._times: dict[int, list[float]] = {}
        self._began = 0.0

    def step(self, loop: Loop, loss: float) -> None:
        if self._wait > 0:
            self._wait -= 1
        elif loop.network.kernels.which == "numba":
            self._turn()
        else:
            self._wait = 1_000_000

    def _turn(self) -> None:
        """A round is over, or a trial is to begin."""
        from numba import set_num_threads

        from backprop_cli.engine.kernels.compiled import MOST_THREADS

        now, candidates = time.perf_counter(), (MOST_THREADS, 1)
        if self._trial:
            self._times.setdefault(candidates[(self._trial - 1) % 2], []).append(now - self._began)
        if self._trial < 2 * ROUNDS and MOST_THREADS > 1:
            threads, self._wait = candidates[self._trial % 2], STEPS - 1
            self._trial += 1
        else:
            threads = min(self._times, key=lambda count: min(self._times[count]), default=1)
            least = min(self._times.get(threads, [1.0])) / STEPS
            self._wait, self._trial = int(SECONDS / max(least, 1e-6)), 0
            self._times.clear()
        set_num_threads(threads)
        self._began = time.perf_counter()
