"""Writes what happens into the run directory: rows of metrics, checkpoints, status."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from functools import partial
from math import inf
from typing import Any

from backprop_cli.engine.arrays import Array
from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, PrunedError, RunError
from backprop_cli.runs.batch import write_batch
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.checkpoints.writer import write
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.files import Folder
from backprop_cli.runs.metrics_log import MetricsLog, repair
from backprop_cli.runs.rows import Row, Rows
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.loop import Callback, Loop

SECONDS_BETWEEN = 1.0  # epochs shorter than this share a checkpoint
SHARE = 0.02  # of the time that checkpoints may take, where the config does not say when to write them


class Recorder(Callback):
    """Writes the run directory.

    Rows reach the disk before the checkpoint that counts them.
    """

    def __init__(
        self,
        run: RunDirectory,
        best: Best,
        learned: Mapping[str, Array],
        model: Mapping[str, Any],
        warn: Callable[[str], None],
    ) -> None:
        self.run, self.best, self.warn = run, best, warn
        self.learned = learned  # arrays every checkpoint carries along: what transforms learned
        self.model = model  # values every checkpoint carries along: what it says of its model
        self._folder: Folder | None = None
        self._tail, self._rows = b"", 0  # of metrics.jsonl, as the checkpoint knows it
        self.log: MetricsLog | None = None
        self._saved_best = 0
        self._cost = 0.0  # seconds that the last checkpoint took
        self._saved_at = (0, 0, 0)

    def start(self, loop: Loop) -> None:
        self.repair()
        keep = loop.options.checkpoint.keep_last
        self._folder = Folder(self.run.checkpoints)
        self._make_room = partial(saved.make_room, self._folder, keep)
        saved.forget(self.run.checkpoints, keep)
        self.log = MetricsLog(self.run.metrics, self._tail, self._rows)
        self._saved = time.monotonic()

    def repair(self) -> None:
        """Bring metrics.jsonl to where the checkpoint left it."""
        lost = repair(self.run.metrics, self._tail, self._rows)
        if lost:
            self.warn(f"{self.run.metrics}: {lost} of {self._rows} rows are lost, and no checkpoint has them")

    def next_step(self, loop: Loop) -> float:
        every = loop.options.checkpoint.every_steps
        return (loop.step // every + 1) * every if every else inf

    def step(self, loop: Loop, loss: float) -> None:
        every = loop.options.checkpoint.every_steps
        if (every and loop.step % every == 0) or self._old(loop):
            self.save(loop)

    def epoch(self, loop: Loop, row: Row) -> None:
        self.many_epochs(loop, Rows.of(row))

    def at_once(self, loop: Loop, rows: Rows) -> int:
        """Up to a checkpoint."""
        every = loop.options.checkpoint.every_epochs
        due = int(-rows[0]["epoch"] % every + 1) if every else len(rows)
        return min(due, len(rows))

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        assert self.log is not None
        self.log.write_all(rows)
        policy = loop.options.checkpoint
        if policy.every_epochs:
            due = (loop.epoch - 1) % policy.every_epochs == 0
        else:
            between = max(SECONDS_BETWEEN, self._cost / SHARE)
            due = not policy.every_steps and not policy.every_minutes and self._age >= between
        if due or self._old(loop):
            self.save(loop)

    @property
    def _age(self) -> float:
        return time.monotonic() - self._saved

    def _old(self, loop: Loop) -> bool:
        minutes = loop.options.checkpoint.every_minutes
        return minutes is not None and self._age >= 60 * minutes

    def save(self, loop: Loop) -> None:
        """Write last.safetensors, and best.safetensors if there is a better epoch than on disk. Raises RunError."""
        assert self.log is not None and self._folder is not None
        began = time.monotonic()
        loop.check_state()
        self.log.sync()
        self._save_best(loop)
        arrays, values = loop.state_dict()
        write(self._folder, saved.LAST, {**arrays, **self.learned}, {**values, **self.model}, self._make_room)
        self._saved, self._saved_at = time.monotonic(), _position(loop)
        self._cost = self._saved - began

    def _save_best(self, loop: Loop) -> None:
        best = self.best
        if loop.options.checkpoint.keep_best and best.epoch_number > self._saved_best:
            assert self._folder is not None
            about = {"epoch": best.epoch_number, "step": best.step_number, "best": best.summary}
            write(self._folder, saved.BEST, self._best_arrays(loop), {**about, **self.model})
            self._saved_best = best.epoch_number

    def _best_arrays(self, loop: Loop) -> dict[str, Array]:
        """The arrays of best.safetensors: the weights and statistics of the best epoch, by name."""
        store, kept, state = loop.network.store, self.best.values, self.best.state
        arrays = {name: kept[span].reshape(store.entries[name].shape) for name, span in store.spans.items()}
        start = 0
        for name, view in store.states.items():
            arrays[name] = state[start : start + view.size].reshape(view.shape)
            start += view.size
        return {**arrays, **self.learned}

    def end(self, loop: Loop, error: BaseException | None) -> None:
        """Write the last checkpoint, the best epoch alone where training failed, and how it ended."""
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
        if error is None or isinstance(error, InterruptedRunError | PrunedError):
            if _position(loop) != self._saved_at:
                self.save(loop)
            return
        try:
            self._save_best(loop)  # what was good before it failed
        except RunError as failed:
            if str(failed) != str(error):  # which is said at the end
                self.warn(str(failed))

    def _finish(self, loop: Loop, error: BaseException | None) -> None:
        status = "completed" if error is None else "failed"
        if isinstance(error, DivergedError):
            status = "diverged"
        elif isinstance(error, PrunedError):
            status = "pruned"
        elif isinstance(error, InterruptedRunError | KeyboardInterrupt):
            status = "interrupted"
        reason = loop.stop_reason or (str(error) if error else None)
        for file in (self.log, self._folder):
            if file is not None:
                file.close()
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
