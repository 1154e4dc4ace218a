"""What trains several trials at a time: the interface that a sweep knows, and what its trials can say meanwhile.

Two implementations: `workers` (processes of this machine) and `cluster` (Dask's workers, here or elsewhere).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import Any, Protocol


class Line(Protocol):
    """From a task to the sweep."""

    def tell(self, value: Any) -> None:
        """Send a message."""

    def ask(self, value: Any) -> Any:
        """Send a message, and return what the sweep answers; None where nobody is there any more."""


Work = Callable[[Any, Line], Any]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True)
class Started:
    """A process has begun with a task."""


@dataclass(frozen=True)
class Told:
    """A message that a task sent while it ran."""

    value: Any


@dataclass(frozen=True)
class Done:
    """The task is over; what it gave back."""

    value: Any


@dataclass(frozen=True)
class Stopped:
    """The task was asked to end, and did so in order."""

    reason: str


@dataclass(frozen=True)
class Died:
    """The process ended in the middle of the task."""

    reason: str


Event = Started | Told | Done | Stopped | Died


class Executor(Protocol):
    """`for number, event in executor.events():`, with `stop` to end early."""

    received: int | None  # the signal that stopped it
    stopped: bool

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield (number of the task, event) until every task is done or given up."""

    def answer(self, number: int, value: Any) -> None:
        """Answer a task that asks."""

    def stop(self) -> None:
        """Start no other task, and ask those that run to end."""


#: an executor for `work(task, line)`, a function of a module. It gets SIGTERM when it is to stop, and may then finish
#: in order and raise InterruptedRunError.
Open = Callable[[Work, Iterable[Any]], Executor]


class Heeding:
    """An executor that heeds signals: the first SIGINT, SIGTERM or SIGHUP to this process stops the work, the second
    kills it; `received` says which it was."""

    def __init__(self) -> None:
        self.received: int | None = None
        self.stopped = False

    def stop(self) -> None:
        """Start no other task, and ask those that run to end."""
        raise NotImplementedError  # each executor stops its own workers

    def kill(self) -> None:
        """End all running tasks immediately."""
        raise NotImplementedError  # the same

    @contextmanager
    def heeding(self) -> Iterator[None]:
        """Context in which a main thread heeds SIGINT, SIGTERM and SIGHUP; those that were ignored stay ignored."""
        heeded: list[int] = []
        if threading.current_thread() is threading.main_thread():
            heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, self._note) for number in heeded}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            self.kill()
        self.received = number
        self.stop()
