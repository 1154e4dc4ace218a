"""Writes what happens into the run directory: rows of metrics, checkpoints, status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any

import numpy.typing as npt

from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, RunError
from backprop_cli.runs.batch import write_batch
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.checkpoints.background import Background
from backprop_cli.runs.checkpoints.copies import Copies
from backprop_cli.runs.checkpoints.writer import Order
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.files import Folder
from backprop_cli.runs.metrics_log import MetricsLog, repair
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.loop import Callback, Loop, Row

Array = npt.NDArray[Any]
SECONDS_BETWEEN = 1.0  # epochs shorter than this share a checkpoint


class Recorder(Callback):
    """The run directory's scribe.

    A checkpoint is copied at its step and written by another process while training goes on; the next one waits for
    it. Rows reach the disk before the checkpoint that counts them.
    """

    def __init__(
        self, run: RunDirectory, best: Best, learned: Mapping[str, Array], warn: Callable[[str], None]
    ) -> None:
        self.run, self.best, self.warn = run, best, warn
        self.learned = learned  # arrays every checkpoint carries along: what transforms learned
        self._folder: Folder | None = None
        self._copies: Copies | None = None
        self._background: Background | None = None
        self._tail, self._rows = b"", 0  # of metrics.jsonl, as the checkpoint knows it
        self.log: MetricsLog | None = None
        self._saved_best = self._copied_best = 0
        self._saved_at = (0, 0, 0)

    def start(self, loop: Loop) -> None:
        self.repair()
        self._folder = Folder(self.run.checkpoints)
        saved.forget(self.run.checkpoints, loop.options.checkpoint.keep_last)
        self.log = MetricsLog(self.run.metrics, self._tail, self._rows)
        self._saved = time.monotonic()

    def repair(self) -> None:
        """Bring metrics.jsonl to where the checkpoint left it."""
        lost = repair(self.run.metrics, self._tail, self._rows)
        if lost:
            self.warn(f"{self.run.metrics}: {lost} of {self._rows} rows are lost, and no checkpoint has them")

    def step(self, loop: Loop, loss: float) -> None:
        every = loop.options.checkpoint.every_steps
        if (every and loop.step % every == 0) or self._old(loop):
            self.save(loop)

    def epoch(self, loop: Loop, row: Row) -> None:
        assert self.log is not None
        self.log.write(row)
        policy = loop.options.checkpoint
        if policy.every_epochs:
            due = (loop.epoch - 1) % policy.every_epochs == 0
        else:
            due = not policy.every_steps and not policy.every_minutes and self._age >= SECONDS_BETWEEN
        if due or self._old(loop):
            self.save(loop)

    @property
    def _age(self) -> float:
        return time.monotonic() - self._saved

    def _old(self, loop: Loop) -> bool:
        minutes = loop.options.checkpoint.every_minutes
        return minutes is not None and self._age >= 60 * minutes

    def save(self, loop: Loop, last: bool = False) -> None:
        """Write last.safetensors, and best.safetensors if there is a better epoch than on disk.

        Returns once everything is copied; the `last` time, written. Raises RunError if this checkpoint or the one
        before could not be written.
        """
        loop.check_state()
        assert self.log is not None
        self.log.flush()
        self._wait()
        arrays, plain = loop.state_dict()
        background = self._copy(loop, {**arrays, **self.learned})
        values = {saved.LAST: plain}
        if loop.options.checkpoint.keep_best and self.best.epoch_number > self._saved_best:
            self._saved_best = self.best.epoch_number
            about = {"epoch": self.best.epoch_number, "step": self.best.step_number, "best": self.best.summary}
            values = {saved.BEST: about, **values}
        order: Order = {"values": values, "sync": str(self.run.metrics) if self.log.unsynced else None}
        self.log.unsynced = False
        (background.writer.write if last else background.begin)(order)
        self._saved, self._saved_at = time.monotonic(), _position(loop)

    def _copy(self, loop: Loop, arrays: Mapping[str, Array]) -> Background:
        """To the same memory each time: no other checkpoint is being written now. The weights of the best epoch are
        copied when there is a better one."""
        if self._background is None or self._copies is None or not self._copies.fit(arrays):
            self._close()
            self._copies = copies = Copies(arrays)
            plans = {saved.LAST: copies.plan(copies.arrays), saved.BEST: copies.plan(self._best(loop, copies.arrays))}
            assert self.log is not None and self._folder is not None
            keep, lock = loop.options.checkpoint.keep_last, self.run.handles
            self._background = Background(copies, plans, self._folder, keep, self.log.handle, lock)
        else:
            same = self._copied_best == self.best.epoch_number
            self._copies.take({name: each for name, each in arrays.items() if not (same and name == "Best/values")})
        self._copied_best = self.best.epoch_number
        return self._background

    def _best(self, loop: Loop, copied: Mapping[str, Array]) -> dict[str, Array]:
        """The arrays of best.safetensors, as parts of the others."""
        store, kept, state = loop.network.store, copied["Best/values"], copied["Best/state"]
        arrays = {name: kept[span].reshape(store.entries[name].shape) for name, span in store.spans.items()}
        start = 0
        for name, view in store.states.items():
            arrays[name] = state[start : start + view.size].reshape(view.shape)
            start += view.size
        return arrays | {name: copied[name] for name in self.learned}

    def _wait(self) -> None:
        """Until no checkpoint is being written. Raises RunError if that failed."""
        if self._background is not None:
            self._background.wait()

    def _close(self) -> None:
        for each in (self._background, self._copies):
            if each is not None:
                each.close()
        self._background = self._copies = None  # and with them, the memory

    def end(self, loop: Loop, error: BaseException | None) -> None:
        """Write the last checkpoint, unless training failed, and how it ended."""
        try:
            self._last_words(loop, error)
        except (BpError, OSError) as failed:
            self._finish(loop, failed)
            raise
        self._finish(loop, error)

    def _last_words(self, loop: Loop, error: BaseException | None) -> None:
        if isinstance(error, DivergedError) and error.batch is not None:
            try:
                error.args = (f"{error}; the batch is in {write_batch(self.run.path, *error.batch)}",)
            except RunError as failed:
                self.warn(str(failed))
        if self.log is None:  # it could not be opened
            return
        self.log.flush()
        self._wait()
        if (error is None or isinstance(error, InterruptedRunError)) and _position(loop) != self._saved_at:
            self.save(loop, last=True)

    def _finish(self, loop: Loop, error: BaseException | None) -> None:
        status = "completed" if error is None else "failed"
        if isinstance(error, DivergedError):
            status = "diverged"
        elif isinstance(error, InterruptedRunError | KeyboardInterrupt):
            status = "interrupted"
        reason = loop.stop_reason or (str(error) if error else None)
        self._close()
        for each in (self.log, self._folder):
            if each is not None:
                each.close()
        try:
            self.run.finish(status, loop.row, self.best.summary, reason)
        except RunError:
            if error is None:
                raise

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        tail, rows = (self.log.tail, self.log.rows) if self.log else (self._tail, self._rows)
        return {}, {"tail": tail.decode(), "rows": rows}

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        self._tail, self._rows = values["tail"].encode(), int(values["rows"])


def _position(loop: Loop) -> tuple[int, int, int]:
    return loop.epoch, loop.batch, loop.step
