"""Runs the steps of a recorded program; operations that it cannot express run in Python."""

from __future__ import annotations

import time

import numpy as np

from backprop_cli.engine.replay.stages import MOST, Stage, Steps

SECONDS = 0.004  # that steps are made in one go, until signals are looked at,
SHARE = 50  # or this part of the time since the first of them:
LATER = 0.02  # up to so many, as Python takes 76 us between two goes


class Running(Steps):
    """Steps whose program is there."""

    _began = 0.0  # on the clock, with the first of them

    def _some(self, until: float) -> None:
        """As many steps as nobody has to hear of, for some milliseconds."""
        training, program = self.training, self._program
        assert program is not None, "asked when there is one"
        last, n = self.stages[-1], training.train.batch_size
        most = min(until - training.step, training.train.samples // n - training.batch)
        around = training.next_around(training.step + 1) - training.step - 1
        plain = int(min(most, around, training.optimizer.until_flush, MOST))
        if plain < 1 or any(stage.why for stage in self.stages):
            by_hand = around < 1 or training.optimizer.until_flush < 1
            self._single(hand=last if by_hand else None)
            training.count(1)
            return
        now = time.perf_counter()
        self._began = self._began or now
        self._supply(plain)
        steps, stopped = program.run(0, len(program), plain, min(max(SECONDS, (now - self._began) / SHARE), LATER))
        self._passed(steps)
        training.count(steps)
        if self._loss_place is not None:
            self._loss = self._loss_place[0]
        if stopped < len(program):
            self._single(hand=None, stopped=stopped)
            training.count(1)

    def _supply(self, steps: int) -> None:
        """The numbers of the coming steps, at most MOST of them."""
        optimizer = self.training.optimizer
        now = optimizer.iteration
        scales, counts = self._numbers
        scales[:steps] = optimizer.schedule.scales(now, steps)
        counts[:steps] = np.arange(now + 1, now + steps + 1)
        self._scales.next, self._counts.next = self._places
        self._given.at = self.training.batch * len(self._rows)

    def _passed(self, updates: int) -> None:
        """So many updates were replayed."""
        if updates:
            optimizer = self.training.optimizer
            optimizer.passed(updates - 1)
            self.training.rate = optimizer.current_rate
            optimizer.passed(1)

    def _single(self, hand: Stage | None, stopped: int | None = None) -> None:
        """One step, or what is left of one that stopped before the operation `stopped`; the stage `hand` by Python."""
        program, stages = self._program, self.stages
        assert program is not None, "asked when there is one"
        at = 0
        if stopped is None:
            self._supply(1)
        else:
            at = self._by_python(stopped)
        while at < len(stages):
            end = at
            while end < len(stages) and not stages[end].why and stages[end] is not hand:
                end += 1
            if end == at:
                stages[at].call()
                at += 1
                continue
            last = stages[end].first if end < len(stages) else len(program)
            _, stopped = program.run(stages[at].first, last)
            if self._loss_place is not None:
                self._loss = self._loss_place[0]
            if stopped < last:
                at = self._by_python(stopped)
                continue
            if end == len(stages):
                self._passed(1)
            at = end

    def _by_python(self, stopped: int) -> int:
        """Make the stage with this operation by Python; the number of the next one."""
        number = max(i for i, stage in enumerate(self.stages) if not stage.why and stage.first <= stopped)
        self.stages[number].call()
        return number + 1
