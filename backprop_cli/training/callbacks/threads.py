"""Finds out, while training, on how many threads compiled kernels are fastest: all, four, or one.

Several cost more than they save where the network is small or other processes want the cores. Each number is
tried in turn for a few steps, the fastest one stays until the next trial. Where steps take long, trials are shorter and
rarer, so that they cost less than a twentieth. What is computed does not depend on it.
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

ROUNDS, FEWEST = 4, 2  # of each candidate, in turn; the fewest where they take
ENOUGH = 0.1  # seconds in all, or more
ROUND_STEPS, ROUND_SECONDS = 2, 0.004  # that a round lasts at least; one step, if it takes
LONG = 0.02  # seconds or more
SECONDS = 5.0  # until they are tried again, or, if that is more,
TIMES = 25  # times the seconds that the last trial has cost
NEVER = 10**12
CANDIDATES = sorted({MOST_THREADS, min(SHARES, MOST_THREADS), 1}, reverse=True)


class Threads(Callback):
    """Sets the thread count of a training with compiled kernels."""

    def __init__(self) -> None:
        self._next = 0  # the step at which there is something to do
        self._round = -1  # of a trial; -1 before the first
        self._first, self._began = 0, 0.0  # step and time at which this round began
        self._least: dict[int, float] = {}  # threads -> seconds of a step, in the best round
        self._usual = inf  # seconds of a step, as far as it is known
        self._steps, self._spent = 0, 0.0  # steps and seconds of a trial

    def next_step(self, loop: Loop) -> float:
        """The end of a round, if it can be told; else whenever it is, time is looked at."""
        if self._round < 0 or self._usual == inf:
            return inf
        return loop.step + max(ROUND_STEPS, int(ROUND_SECONDS / self._usual) + 1)

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
            if steps < 1:  # somebody has gone back in time
                self._first, self._began = step, time.perf_counter()
                return
            if seconds < ROUND_SECONDS or (steps < ROUND_STEPS and seconds < LONG):
                return
            self._steps, self._spent = self._steps + steps, self._spent + seconds
            threads, per_step = CANDIDATES[self._round % len(CANDIDATES)], seconds / steps
            self._least[threads] = min(per_step, self._least.get(threads, per_step))
        self._round += 1
        if self._round < len(CANDIDATES) * (ROUNDS if self._spent < ENOUGH else FEWEST):
            set_threads(CANDIDATES[self._round % len(CANDIDATES)])
        else:
            best = min(self._least, key=self._least.__getitem__)
            set_threads(best)
            self._usual = self._least[best]
            cost = self._spent - self._steps * self._least[best]
            self._next, self._round = step + int(max(SECONDS, TIMES * cost) / self._least[best]), -1
            self._least.clear()
            self._steps, self._spent = 0, 0.0
        self._first, self._began = step, time.perf_counter()
