"""Worker processes for a list of tasks, several at a time; a worker that crashes costs its own task only.

A process does one task after the other. If it dies, its task is lost and no other; a new process takes
its place. joblib's loky gives the whole pool up there, with the tasks that have not begun, and neither
tells what goes on inside a task nor asks it to end in order.

The processes are copies of one that has imported everything (`start` it while there is other work to
do), so that the imports are paid for once.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import tempfile
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from types import FrameType
from typing import Any

from backprop_cli.errors import UsageError

Tell = Callable[[Any], None]
Work = Callable[[Any, Tell], Any]
STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
#: bytes of a folder that a socket's name has room for beside /pymp-xxxxxxxx/listener-xxxxxxxx: 104 on macOS in all
LONGEST = 60
SHORT = ("/tmp", "/var/tmp")
THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


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


# A fork of this process would copy its threads' locks in an unknown state; the server has no threads. Elsewhere
# than on Linux the libraries that it imports may start some.
_CONTEXT: Any = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")


def start(jobs: int, modules: Sequence[str]) -> None:
    """Begin to import these modules, in the process that the workers will be copies of."""
    if sys.platform == "linux":
        from multiprocessing import forkserver, resource_tracker

        _CONTEXT.set_forkserver_preload(list(modules))
        resource_tracker.ensure_running()  # if the server did this, it would take the next line back
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # inherited: Ctrl-C is its parent's to hear
        try:
            with _threads(jobs), _short_names():
                forkserver.ensure_running()
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _short_names() -> Iterator[None]:
    """Context in which temporary files get names that a socket can have, if $TMPDIR is too long for that."""
    given = tempfile.tempdir
    if len(os.fsencode(tempfile.gettempdir())) > LONGEST:
        places = [each for each in SHORT if os.path.isdir(each) and os.access(each, os.W_OK | os.X_OK)]
        if not places:
            raise UsageError(
                f"the folder of temporary files has a name of more than {LONGEST} bytes, which no socket can have, "
                f"and {' and '.join(SHORT)} cannot be written to; set TMPDIR to a shorter one"
            )
        tempfile.tempdir = places[0]
    try:
        yield
    finally:
        tempfile.tempdir = given


@contextmanager
def _threads(jobs: int) -> Iterator[None]:
    """Context in which new processes share the cores."""
    before = {name: os.environ.get(name) for name in THREADS}
    try:
        os.environ |= {name: str(max(1, (os.cpu_count() or 1) // jobs)) for name in THREADS if jobs > 1}
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})


class _Worker:
    def __init__(self, work: Work) -> None:
        self.pipe, theirs = _CONTEXT.Pipe()
        self.process = _CONTEXT.Process(target=_serve, args=(theirs, work), daemon=True)
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

    `work(task, tell)` runs in the processes; it must be a function of a module. It gets SIGTERM when it is
    to stop and may finish in order. The first SIGINT, SIGTERM or SIGHUP to this process stops the work, the
    second kills it; `received` says which it was.
    """

    def __init__(self, work: Work, tasks: Sequence[Any], jobs: int) -> None:
        self._work, self._waiting = work, deque(enumerate(tasks))
        self._jobs = min(jobs, len(tasks))
        self._workers: list[_Worker] = []
        self.received: int | None = None
        self.stopped = False

    def stop(self) -> None:
        """Start no other task, and ask those that run to end."""
        self.stopped = True
        self._waiting.clear()
        for worker in self._workers:
            if worker.process.is_alive():
                worker.process.terminate()

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield (number of the task, event) until every task is done or given up."""
        before = self._listen()
        try:
            with _threads(self._jobs):
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
        while self._waiting:
            idle = next((worker for worker in self._workers if worker.task is None), None)
            if idle is None:
                if len(self._workers) >= self._jobs:
                    return
                idle = _Worker(self._work)
                self._workers.append(idle)
            try:
                number, task = self._waiting.popleft()
            except IndexError:  # a signal has emptied it while the process started
                return
            try:
                idle.pipe.send(task)
            except OSError:  # it died between two tasks
                self._workers.remove(idle)
                self._waiting.appendleft((number, task))
                continue
            idle.task = number
            yield number, Started()

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
        value = work(task, lambda said: pipe.send(Told(said)))
        pipe.send(Done(value))


def _follow() -> None:
    """Stop in order when the parent process is gone: nobody would receive the result."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)
