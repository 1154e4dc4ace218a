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
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from typing import Any

from backprop_cli.commands.sweep.executors import Died, Done, Event, Heeding, Started, Stopped, Told, Work
from backprop_cli.commands.sweep.processes import CONTEXT, threads
from backprop_cli.errors import InterruptedRunError


class PipeLine:
    """From a task to the process that started it."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def tell(self, value: Any) -> None:
        """Send a message to the process that started this one. Raises OSError where that is gone."""
        self._pipe.send(Told(value))

    def ask(self, value: Any) -> Any:
        """Send a message, and return the answer to it; None where the other process is gone."""
        try:
            self._pipe.send(Told(value))
            return self._pipe.recv()
        except (EOFError, OSError):
            return None


class WorkerProcess:
    """A process that does one task after the other, as they are sent through its pipe."""

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


class Workers(Heeding):
    """An executor on this machine: `jobs` processes at a time."""

    def __init__(self, work: Work, tasks: Iterable[Any], jobs: int) -> None:
        super().__init__()
        self._work, self._tasks, self._jobs = work, enumerate(tasks), jobs
        self._again: deque[tuple[int, Any]] = deque()  # tasks that a process could not be given
        self._workers: list[WorkerProcess] = []

    def stop(self) -> None:
        self.stopped = True
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()

    def kill(self) -> None:
        for worker in self._workers:
            worker.process.kill()

    def answer(self, number: int, value: Any) -> None:
        for worker in self._workers:
            if worker.task == number:
                with suppress(OSError):  # its process has died: the next event says so
                    worker.pipe.send(value)

    def events(self) -> Iterator[tuple[int, Event]]:
        try:
            with self.heeding(), threads(self._jobs):
                yield from self._run()
        finally:
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
                if isinstance(event, Done | Stopped):
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
                idle = WorkerProcess(self._work)
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


def _serve(pipe: Connection, work: Work) -> None:
    """The loop of a worker process: receive a task, send its result, repeat. Ctrl-C is left to the parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow, daemon=True).start()
    while True:
        try:
            task = pipe.recv()
        except EOFError:
            return
        try:
            event: Event = Done(work(task, PipeLine(pipe)))
        except InterruptedRunError as error:
            event = Stopped(str(error))
        pipe.send(event)


def _follow() -> None:
    """Stop in order when the parent process is gone: nobody would receive the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
