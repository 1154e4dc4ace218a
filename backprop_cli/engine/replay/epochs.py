"""Runs several short epochs without Python between them: the end of an epoch costs more than steps of a small network.

It is done on trust. Where something turns out to need attention at one of the epochs (a step that has to be made by
Python, numbers that are not finite, somebody who wants to see the network as it was then), all is brought back to the
beginning, and as many epochs are made again as go well. The same bits come out, as nothing else has happened meanwhile.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.engine.replay.running import SECONDS, Running
from backprop_cli.engine.replay.snapshot import snapshot
from backprop_cli.engine.replay.stages import MOST, kept_bytes

LONGEST = 100  # steps of an epoch that is short
MOST_KEPT = 1 << 20  # bytes that are copied to come back to
FOREVER = 1e9  # seconds


@dataclass(frozen=True)
class Passed:
    """Epochs that have been made: the totals of each, the learning rate of its last update, when it ended."""

    totals: Array  # (epochs, numbers)
    rates: list[float]
    ends: Array  # on the clock of time.perf_counter


class Epochs(Running):
    """Epochs of a program that is there."""

    _reach = 2  # epochs that are made in one go: more as long as all goes well
    _back: Callable[[], None] | None = None

    def several(self, most: int, until: float) -> Passed | None:
        """Make some epochs, `most` at most, and only steps before `until`; None where each is to be made by itself."""
        training = self.training
        if not (self._checked and self.ready() and self._even()):
            return None
        steps = training.train.steps_per_epoch
        free = min(until, training.next_around(training.step + 1)) - 1 - training.step
        epochs = min(self._reach, most, int(min(free, training.optimizer.until_flush, MOST)) // steps)
        if epochs < 2:
            return None
        self._settle()
        if not self._checked:  # to be recorded again
            return None
        self._back = snapshot(training)
        passed, stopped = self._run(epochs, SECONDS)
        if not training.healthy():
            self._back()
            self._reach = 0
            return None
        if stopped:
            passed = self.again(len(passed.rates))
        return passed if passed.rates else None

    def again(self, epochs: int) -> Passed:
        """Come back to where the last ones began, and make so many of them."""
        assert self._back is not None, "asked after `several`"
        self._back()
        self._reach = max(epochs, 2)
        return self._run(epochs, FOREVER)[0]

    def farther(self) -> None:
        """All went well: twice as many may be made the next time."""
        self._reach = min(2 * self._reach, MOST)

    def _even(self) -> bool:
        """Whether epochs are short, of nothing but steps like those recorded, and begin with totals of 0."""
        training = self.training
        steps, n = training.train.steps_per_epoch, training.train.batch_size
        if steps > LONGEST or steps * n > training.train.samples or any(stage.why for stage in self.stages):
            return False
        plain = all(type(metric).reset is Metric.reset for metric in training.metrics)
        return plain and kept_bytes(training) <= MOST_KEPT

    def _run(self, epochs: int, patience: float) -> tuple[Passed, bool]:
        training, program, feed = self.training, self._program, self._feed
        assert program is not None and feed is not None, "asked where there are both"
        steps, n = training.train.steps_per_epoch, training.train.batch_size
        if training.train.reorders:
            orders = [feed.order(training.epoch + i)[: steps * n] for i in range(epochs)]
            self._order = np.concatenate([np.zeros(0, np.int64), *orders])
        else:
            self._order = np.tile(feed.order(training.epoch)[: steps * n], epochs)
        self._epoch = -1  # of no single one
        self._point_at_order()
        self._supply(steps * epochs)
        began, rate, scales = time.perf_counter(), training.optimizer.learning_rate, self._numbers[0]
        rows, stopped = program.run_epochs(steps, epochs, patience, list(training.sums.arrays().values()))
        whole = len(rows)
        rates = (rate * scales[steps - 1 : steps * whole : steps]).tolist()
        self._passed(steps * whole)
        training.count(steps * whole)
        training.epoch, training.batch = training.epoch + whole, 0
        if self._loss_place is not None:
            self._loss = self._loss_place[0]
        return Passed(rows[:, :-1], rates, began + rows[:, -1]), stopped
