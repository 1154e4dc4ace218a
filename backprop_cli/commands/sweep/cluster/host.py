"""What runs on a worker: a task hands its trial to a process of its own and passes on what that says.

The process is not the worker's: a training takes signals, and sets threads and plugins for all of its process.
`dask worker … --preload backprop_cli.commands.sweep.cluster.host` prepares such processes before the first task.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import platform
import queue
import shutil
import signal
import tempfile
import threading
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import get_worker
from distributed.core import Status

from backprop_cli.commands.sweep import processes
from backprop_cli.commands.sweep.cluster.messages import Arrived, Begin, Nonce, Packed
from backprop_cli.commands.sweep.executors import Died, Event, Stopped, Told, Work
from backprop_cli.commands.sweep.sent import packed, unpacked
from backprop_cli.commands.sweep.training import Task
from backprop_cli.commands.sweep.workers import WorkerProcess
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.versions import versions

POLL = 0.2  # seconds between two looks at whether a task is still wanted
MODULE = "backprop_cli.commands.sweep.preloaded"

_attempts: dict[str, Attempt] = {}
_idle: list[WorkerProcess] = []
_preparing = threading.Lock()
_prepared = False


class _UnwantedError(Exception):
    """Nobody waits for the task any more."""


class Attempt:
    """A task on this worker, from its arrival to its end."""

    def __init__(self, topic: str, number: int) -> None:
        self.id, self.topic, self._number = uuid4().hex, topic, number
        self._worker = get_worker()
        self._key = self._worker.get_current_task()
        self.answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.archive: bytes | None = None
        self.process: WorkerProcess | None = None
        self.stopped = False

    def tell(self, value: Any) -> None:
        """Send a value to the sweep, through the topic."""
        message = self._number, self.id, self._worker.address, pickle.dumps(value)
        self._worker.log_event(self.topic, message)

    def ask(self, value: Any) -> Any:
        """Send a value to the sweep and wait for its answer. Raises _UnwantedError."""
        self.tell(value)
        while self.wanted:
            with suppress(queue.Empty):
                return self.answers.get(timeout=POLL)
        raise _UnwantedError

    @property
    def wanted(self) -> bool:
        """Whether the worker still runs and the task has not been cancelled."""
        task = self._worker.state.tasks.get(self._key)
        return self._worker.status == Status.running and task is not None and task.state != "cancelled"

    def train(self, work: Work, task: Task) -> Event:
        """Have a process do the work; how that ended. Raises _UnwantedError, when the process has ended."""
        process = self.process = _process(work)
        ending = False
        with suppress(OSError):  # it has died: the next lines see that
            process.pipe.send(task)
        while True:
            if (self.stopped or not self.wanted) and not ending:
                process.process.terminate()
                ending = True
            event: Event
            try:
                if not process.pipe.poll(POLL):
                    continue
                event = process.pipe.recv()
            except (EOFError, OSError):
                event = Died(process.reason())
                if process.process.exitcode == -signal.SIGTERM:
                    event = Stopped(event.reason)
            if isinstance(event, Told) and event.value[0] == "packed":
                self.archive = event.value[1]
                self.tell(Packed())
            elif isinstance(event, Told):
                self.tell(event)
            else:
                self.process = None
                if not isinstance(event, Died) and not ending:
                    _idle.append(process)
                if not self.wanted:
                    raise _UnwantedError
                return event


def host(topic: str, number: int, work: Work, task: Task, nonce: Nonce) -> None:
    """The task of Dask. What came of it goes through the topic."""
    _prepare()
    attempt = Attempt(topic, number)
    _attempts[attempt.id] = attempt
    scratch = Path(tempfile.mkdtemp(prefix="bp-", dir=get_worker().local_directory))
    try:
        begin = attempt.ask(Arrived(nonce.reply(attempt.id), platform.node(), versions()))
        if not isinstance(begin, Begin):
            return
        if not begin.shared:
            path = scratch / Path(task.run_dir).name
            if begin.archive is not None and not task.again:
                unpacked(begin.archive, scratch, path.name)
            task = replace(task, run_dir=str(path), returned=True)
        event = attempt.train(work, task)
        if task.returned and Path(task.run_dir).exists():
            attempt.archive = packed(RunDirectory(Path(task.run_dir)))
        attempt.ask(event)
    except _UnwantedError:
        close_idle()
    finally:
        del _attempts[attempt.id]
        shutil.rmtree(scratch, ignore_errors=True)


# What the sweep calls on a worker


def deliver(attempt: str, value: Any) -> None:
    """Bring an answer to who has asked: the task, or its process."""
    if (asking := _attempts.get(attempt)) is None:
        return
    if asking.process is None:
        asking.answers.put(value)
    else:
        with suppress(OSError):
            asking.process.pipe.send(value)


def fetch(attempt: str) -> bytes | None:
    """The newest copy of a run that is to be sent back, as an archive; None where there is none."""
    known = _attempts.get(attempt)
    return known.archive if known is not None else None


def stop(topic: str) -> None:
    """Ask all tasks of a sweep to end in order."""
    for attempt in list(_attempts.values()):
        if attempt.topic == topic:
            attempt.stopped = True


def close_idle() -> None:
    """End the processes that have nothing to do."""
    while _idle:
        with suppress(IndexError):
            process = _idle.pop()
            process.pipe.close()
            process.process.terminate()


def _process(work: Work) -> WorkerProcess:
    while _idle:
        with suppress(IndexError):
            process = _idle.pop()
            if process.process.is_alive():
                return process
    return WorkerProcess(work)


def _prepare() -> None:
    """Let this process have others, and import what they need, once."""
    global _prepared
    with _preparing:
        if not _prepared:
            # Dask's nanny starts workers as daemons, which may start nothing themselves: that is so that nothing is
            # left when they are killed. Ours end by themselves when they lose the worker
            multiprocessing.current_process()._config.pop("daemon", None)  # type: ignore[attr-defined]  # no public way
            processes.start(max(2, os.cpu_count() or 1), [MODULE])  # one thread for each process
            _prepared = True


def dask_setup(worker: Any) -> None:
    """Called by Dask where a worker is started with --preload."""
    _prepare()
