"""Worker processes for a list of tasks, several at a time; a worker that crashes costs its own task only.

A process does one task after the other. If it dies, its task is lost and no other; a new process takes
its place. joblib's loky gives the whole pool up there, with the tasks that have not begun, and neither
tells what goes on inside a task nor asks it to end in order.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from backprop_cli.commands.sweep.processes import CONTEXT, threads


class Line:
    """From a task to the process that started it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, value: Any) -> None:
        self._pipe.send(Told(value))

    def ask(self, value: Any) -> Any:
        """The same, and what `Workers.answer` says to it; None where nobody is there any more."""
        try:
            self._pipe.send(Told(value))
            return self._pipe.recv()
        except (EOFError, OSError):
            return None


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
class Died:
    """The process ended in the middle of the task."""

    reason: str


Event = Started | Told | Done | Died


class _Worker:
    def __init__(self, work: Work) -> None:
        self.pipe, theirs = CONTEXT.Pipe()
        self.process = CONTEXT.Process(target=_serve, args=(theirs, work), daemon=True)
        self.process.start()
        theirs.close()
        self.task: int | None = None

    def reason(self) -> str:
        """Why the process ended."""
        self.process.join()
        code = self.process.exitcode or 0
        return f"its process was ended by {signal.Signals(-code).name}" if code < 0 else f"its process exited ({code})"


class Workers:
    """`for number, event in Workers(work, tasks, jobs).events():`, with `stop` to end early.

    `work(task, line)` runs in the processes; it must be a function of a module. It gets SIGTERM when it is
    to stop and may finish in order. The first SIGINT, SIGTERM or SIGHUP to this process stops the work, the
    second kills it; `received` says which it was.
    """

    def __init__(self, work: Work, tasks: Iterable[Any], jobs: int) -> None:
        self._work, self._tasks, self._jobs = work, enumerate(tasks), jobs
        self._again: deque[tuple[int, Any]] = deque()  # tasks that a process could not be given
        self._workers: list[_Worker] = []
        self.received: int | None = None
        self.stopped = False

    def stop(self) -> None:
        """Start no other task, and ask those that run to end."""
        self.stopped = True
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()

    def answer(self, number: int, value: Any) -> None:
        """Answer a task that asks."""
        for worker in self._workers:
            if worker.task == number:
                with suppress(OSError):  # its process has died: the next event says so
                    worker.pipe.send(value)

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield (number of the task, event) until every task is done or given up."""
        before = self._listen()
        try:
            with threads(self._jobs):
                yield from self._run()
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
            for worker in self._workers:
                worker.pipe.close()
                worker.process.terminate()

    def _run(self) -> Iterator[tuple[int, Event]]:
        while True:
            yield from self._assign()
            busy = {worker.pipe: worker for worker in self._workers if worker.task is not None}
            if not busy:
                return
            for pipe in wait(list(busy)):
                worker = busy[pipe]
                task = worker.task
                assert task is not None
                try:
                    event = worker.pipe.recv()
                except (EOFError, OSError):
                    self._workers.remove(worker)
                    event = Died(worker.reason())
                if isinstance(event, Done):
                    worker.task = None
                yield task, event

    def _assign(self) -> Iterator[tuple[int, Event]]:
        """Give tasks to idle processes; start a process where there are too few."""
        while not self.stopped:
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None and len(self._workers) >= self._jobs:
                return
            task = self._again.popleft() if self._again else next(self._tasks, None)
            if task is None:
                return
            if idle is None:
                idle = _Worker(self._work)
                self._workers.append(idle)
            if self.stopped:  # by a signal, while the process started
                return
            try:
                idle.pipe.send(task[1])
            except OSError:  # it died between two tasks
                self._workers.remove(idle)
                self._again.append(task)
                continue
            idle.task = task[0]
            yield task[0], Started()

    def _listen(self) -> dict[int, Any]:
        if threading.current_thread() is not threading.main_thread():
            return {}
        heeded = [number for number in STOPPING if signal.getsignal(number) is not signal.SIG_IGN]
        return {number: signal.signal(number, self._note) for number in heeded}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.received is not None:
            for worker in self._workers:
                worker.process.kill()
        self.received = number
        self.stop()


def _serve(pipe: Connection, work: Work) -> None:
    """The loop of a worker process: receive a task, send its result, repeat. Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        value = work(task, Line(pipe))
        pipe.send(Done(value))


def _follow() -> None:
    """Stop in order when the parent process is gone: nobody would receive the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
