"""SIGINT, SIGTERM and SIGHUP: finish the step, write a checkpoint, leave."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from backprop_cli.errors import InterruptedRunError
from backprop_cli.training.loop import Callback, Loop, Row

CAUGHT = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Signals(Callback):
    """Notes a signal and ends training after the step. A second one ends at once, as if uncaught."""

    def __init__(self) -> None:
        self.received: int | None = None
        self._before: dict[int, Any] = {}

    def start(self, loop: Loop) -> None:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in CAUGHT}

    def _note(self, number: int, frame: FrameType | None) -> None:
        self.received = number
        for each in CAUGHT:
            signal.signal(each, signal.SIG_DFL)

    def step(self, loop: Loop, loss: float) -> None:
        if self.received is not None:
            name = signal.Signals(self.received).name
            raise InterruptedRunError(f"stopped by {name} after step {loop.step}", self.received)

    def epoch(self, loop: Loop, row: Row) -> None:
        self.step(loop, 0.0)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
