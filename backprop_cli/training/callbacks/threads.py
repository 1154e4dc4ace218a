"""Finds out, while training, on how many threads compiled kernels are fastest: all, four, or one.

Several cost more than they save where the network is small or other processes want the cores. Each number is
tried in turn for a few steps, the faster one stays for some seconds, then they are tried again. What is
computed does not depend on it.
"""

from __future__ import annotations

import time
from math import inf
from typing import TYPE_CHECKING

from backprop_cli.engine.kernels.compiled import MOST_THREADS, SHARES, set_threads
from backprop_cli.training.loop import Callback

if TYPE_CHECKING:
    from backprop_cli.runs.rows import Rows
    from backprop_cli.training.loop import Loop

ROUNDS = 4  # of each candidate, in turn
ROUND_STEPS, ROUND_SECONDS = 2, 0.004  # that a round lasts at least
SECONDS = 5.0  # until they are tried again
NEVER = 10**12
CANDIDATES = sorted({MOST_THREADS, min(SHARES, MOST_THREADS), 1}, reverse=True)


class Threads(Callback):
    """Sets the thread count of a training with compiled kernels."""

    def __init__(self) -> None:
        self._next = 0  # the step at which there is something to do
        self._round = -1  # of a trial; -1 before the first
        self._first, self._began = 0, 0.0  # step and time at which this round began
        self._least: dict[int, float] = {}  # threads -> seconds of a step, in the best round

    def next_step(self, loop: Loop) -> float:
        return inf  # whenever it is, time is looked at

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step >= self._next:
            self._try(loop.step)

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        self.step(loop, rows[-1]["train/loss"])

    def _try(self, step: int) -> None:
        if MOST_THREADS == 1:
            self._next = NEVER
            return
        if self._round >= 0:
            steps, seconds = step - self._first, time.perf_counter() - self._began
            if steps < ROUND_STEPS or seconds < ROUND_SECONDS:
                return
            threads, per_step = CANDIDATES[self._round % len(CANDIDATES)], seconds / steps
            self._least[threads] = min(per_step, self._least.get(threads, per_step))
        self._round += 1
        if self._round < len(CANDIDATES) * ROUNDS:
            set_threads(CANDIDATES[self._round % len(CANDIDATES)])
        else:
            best = min(self._least, key=self._least.__getitem__)
            set_threads(best)
            self._next, self._round = step + int(SECONDS / self._least[best]), -1
            self._least.clear()
        self._first, self._began = step, time.perf_counter()
