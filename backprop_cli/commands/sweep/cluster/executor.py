"""Trials as tasks of a Dask cluster, as the process of `bp sweep` sees them."""

from __future__ import annotations

import pickle
import queue
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from distributed import Client, Future
from distributed.scheduler import KilledWorker

from backprop_cli.commands.sweep.cluster import host
from backprop_cli.commands.sweep.cluster.messages import Arrived, Nonce, Packed
from backprop_cli.commands.sweep.cluster.running import Running, check_versions
from backprop_cli.commands.sweep.executors import Died, Done, Event, Heeding, Started, Stopped, Told, Work
from backprop_cli.commands.sweep.training import Task
from backprop_cli.errors import RunError
from backprop_cli.runs.plain import failure
from backprop_cli.runs.versions import versions

TICK = 0.25  # seconds between two looks at the cluster
PATIENCE = 20.0  # seconds without any worker, after which that is said
LOST = 25  # times that a trial loses its worker without an epoch in between, after which it is given up


class DaskExecutor(Heeding):
    """An executor on the workers of a Dask client, `limit` trials at a time or one for each of their threads.

    `tend` is called a few times a second, to keep workers alive.
    """

    def __init__(
        self,
        work: Work,
        tasks: Iterable[Task],
        client: Client,
        limit: int | None,
        say: Callable[[str], None],
        tend: Callable[[], None],
    ) -> None:
        super().__init__()
        self._work, self._tasks, self._client, self._limit, self._say, self._tend = (
            work, enumerate(tasks), client, limit, say, tend,
        )  # fmt: skip
        self._topic = f"bp-sweep-{uuid4().hex}"
        self._inbox: queue.SimpleQueue[Callable[[], Iterator[tuple[int, Event]]]] = queue.SimpleQueue()
        self._running: dict[int, Running] = {}
        self._waiting: deque[Running] = deque()  # tasks that have lost their worker
        self._nonce: Nonce | None = None
        self._said: set[str] = set()
        self._killed = self._told_to_stop = self._exhausted = False
        self._free, self._looked, self._seen = 0, 0.0, time.monotonic()  # when workers were looked for, and were there

    def stop(self) -> None:
        self.stopped = True  # `_run` does the rest: this may be a signal's handler

    def kill(self) -> None:
        self._killed = True

    def answer(self, number: int, value: Any) -> None:
        running = self._running.get(number)
        if running is not None and running.attempt is not None:
            self._call(host.deliver, running.address, running.attempt, value)

    def events(self) -> Iterator[tuple[int, Event]]:
        """Yield (number of the task, event). Raises RunError where the cluster is lost, or its workers are unusable."""
        self._client.subscribe_topic(self._topic, self._hear)
        try:
            with self.heeding():
                yield from self._run()
        finally:
            self._close()

    def _run(self) -> Iterator[tuple[int, Event]]:
        while True:
            if self.stopped and not self._told_to_stop:
                self._stop_workers()
            self._submit()
            if self._killed or (self._exhausted and not self._running and not self._waiting):
                return
            with suppress(queue.Empty):
                yield from self._inbox.get(timeout=TICK)()
            if self._client.status not in ("running", "connecting") or self._client.scheduler is None:
                raise RunError("the scheduler is gone; when it is there again add --resume to go on")

    def _submit(self) -> None:
        """Give tasks to free threads of the workers."""
        if self.stopped:
            self._waiting.clear()
            self._exhausted = True
            return
        if time.monotonic() - self._looked > TICK:
            self._looked, self._free = time.monotonic(), self._threads()
            self._tend()
        while len(self._running) < self._free:
            if self._waiting:
                running = self._waiting.popleft()
            elif (numbered := next(self._tasks, None)) is not None:
                running = self._new(*numbered)
            else:
                self._exhausted = True
                return
            key = f"{self._topic}-{running.number}-{uuid4().hex[:8]}"
            future = self._client.submit(
                host.host, self._topic, running.number, self._work, running.task, self._nonce, key=key, pure=False
            )
            running.future, self._running[running.number] = future, running
            future.add_done_callback(partial(self._hear_end, running))

    def _threads(self) -> int:
        """The threads of all workers, as far as they may be used."""
        try:
            threads: int = sum(self._client.nthreads().values())
        except (OSError, TimeoutError) as error:
            raise RunError(f"the scheduler does not answer ({error}); add --resume to go on") from None
        if threads:
            self._seen = time.monotonic()
        elif time.monotonic() - self._seen > PATIENCE:
            self._once("no worker is there; trials begin when one joins the scheduler")
        return min(threads, self._limit or threads)

    def _new(self, number: int, task: Task) -> Running:
        running = Running.of(number, task)
        if self._nonce is None:
            folder = Path(running.task.run_dir).parent
            self._nonce = Nonce(str(folder))
            try:
                self._nonce.write()
            except OSError as error:
                raise failure(f"cannot write to {folder}", error) from None
        return running

    def _hear(self, event: tuple[float, Any]) -> None:
        """A message of a worker, in Dask's thread."""
        number, attempt, address, value = event[1]
        self._inbox.put(lambda: self._heard(number, attempt, address, pickle.loads(value)))

    def _hear_end(self, running: Running, future: Future) -> None:
        self._inbox.put(lambda: self._ended(running, future))

    def _heard(self, number: int, attempt: str, address: str, value: Any) -> Iterator[tuple[int, Event]]:
        running = self._running.get(number)
        if running is None or (attempt != running.attempt and not isinstance(value, Arrived)):
            return  # of an attempt that was given up
        if isinstance(value, Arrived):
            running.attempt, running.address = attempt, address
            if self.stopped:
                self._call(host.deliver, address, attempt, None)
                self._give_up(running)
                yield number, Stopped("stopped before it began")
                return
            if (other := check_versions(value)) is not None:
                self._once(other)
            assert self._nonce is not None
            begin = running.begin(self._nonce, value)
            if not begin.shared:
                folder = Path(running.task.run_dir).parent
                self._once(f"workers on {value.host} do not see {folder}: they send their runs back")
            self._call(host.deliver, address, attempt, begin)
            yield number, Started()
        elif isinstance(value, Packed):
            running.take_in(self._call(host.fetch, address, attempt))
        elif isinstance(value, Told):
            running.lost = 0
            yield number, value
        else:
            yield from self._finished(running, value)

    def _finished(self, running: Running, event: Event) -> Iterator[tuple[int, Event]]:
        if not running.shared:
            running.take_in(self._call(host.fetch, running.address, running.attempt))
        elif isinstance(event, Done):
            event = running.checked(event)
        self._call(host.deliver, running.address, running.attempt, None)
        self._give_up(running)
        if isinstance(event, Stopped) and not self.stopped:  # its worker is being shut down
            self._waiting.append(running)
            return
        yield running.number, event

    def _ended(self, running: Running, future: Any) -> Iterator[tuple[int, Event]]:
        """Dask's task is over. What came of it has been heard, unless something went wrong."""
        if self._running.get(running.number) is not running or future is not running.future:
            return
        error = self._error(future) if future.status != "finished" else None
        self._give_up(running)
        if self.stopped:
            yield running.number, Stopped("stopped with its worker")
        elif isinstance(error, ModuleNotFoundError | AttributeError):
            raise RunError(
                f"a worker cannot run this bp ({error}); install backprop-cli {versions()['backprop-cli']} there"
            )
        elif error is None or isinstance(error, KilledWorker | CancelledError):
            running.lost += 1
            if running.lost > LOST:
                yield running.number, Died(f"{running.lost} workers were lost that trained it")
            else:
                self._waiting.append(running)
        else:
            yield running.number, Died(f"{type(error).__name__}: {error}")

    def _error(self, future: Future) -> BaseException:
        try:
            return future.exception(timeout=5) or CancelledError()
        except (CancelledError, TimeoutError) as error:
            return error

    def _give_up(self, running: Running) -> None:
        """Hear no more of a task."""
        self._running.pop(running.number, None)
        running.attempt, future, running.future = None, running.future, None
        if future is not None:
            future.release()

    def _stop_workers(self) -> None:
        self._told_to_stop = True
        for running in list(self._running.values()):
            if running.attempt is None and running.future is not None:
                running.future.cancel()
        self._call(host.stop, None, self._topic)

    def _call(self, function: Callable[..., Any], address: str | None, *arguments: Any) -> Any:
        """Call a function on a worker, or on all; None where it is gone."""
        try:
            results = self._client.run(function, *arguments, workers=[address] if address else None, on_error="ignore")
        except (OSError, TimeoutError, ValueError):  # of a worker that the scheduler does not know any more
            return None
        return results.get(address) if address else None

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    def _close(self) -> None:
        with suppress(Exception):  # the scheduler may be gone
            self._client.unsubscribe_topic(self._topic)
            if self._running:
                self._client.cancel([running.future for running in self._running.values() if running.future])
            self._call(host.close_idle, None)
        if self._nonce is not None:
            self._nonce.remove()
