"""SIGINT, SIGTERM and SIGHUP: finish the step, write a checkpoint, leave."""

from __future__ import annotations

import signal
import threading
from math import inf
from types import FrameType
from typing import Any

from backprop_cli.errors import InterruptedRunError
from backprop_cli.runs.rows import Row, Rows
from backprop_cli.training.loop import Callback, Loop

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals(Callback):
    """`with Signals() as signals:` around all the work of a run; within it, one of the loop's callbacks.

    While data are loaded and the network is built, a signal raises InterruptedRunError at once. After
    `wait_for_step` it is noted, and raised when the step is done, or between two batches of an evaluation.
    A second signal ends the process as if nobody caught it. One that was ignored when the process started
    (SIGINT in the background of a shell script, SIGHUP under nohup) stays ignored.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._waiting = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in CAUGHT if signal.getsignal(number) is not signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._note) for number in heeded}
        return self

    def __exit__(self, *error: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for handled in self._before:
            signal.signal(handled, signal.SIG_DFL)
        if not self._waiting:
            raise InterruptedRunError(f"stopped by {signal.Signals(number).name} before the first step", number)

    def wait_for_step(self) -> None:
        """From here on the run directory exists, and a signal must leave a checkpoint in it."""
        self._waiting = True

    def start(self, loop: Loop) -> None:
        loop.between_batches(lambda: self.step(loop, 0.0))
        self.step(loop, 0.0)

    def next_step(self, loop: Loop) -> float:
        return inf  # a signal is heeded after those that are made in one go

    def step(self, loop: Loop, loss: float) -> None:
        received = loop.heard(self.received)
        if received is not None:
            name = signal.Signals(received).name
            raise InterruptedRunError(f"stopped by {name} after step {loop.step}", received)

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        self.epoch(loop, rows[-1])

    def epoch(self, loop: Loop, row: Row) -> None:
        if not loop.finished:
            self.step(loop, 0.0)
