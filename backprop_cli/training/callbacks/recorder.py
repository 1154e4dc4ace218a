"""Writes what happens into the run directory: rows of metrics, checkpoints, status."""

from __future__ import annotations

import time

from backprop_cli.errors import DivergedError, InterruptedRunError
from backprop_cli.runs.checkpoint import Checkpoint
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import MetricsLog
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.loop import Callback, Loop, Row

SECONDS_BETWEEN = 1.0  # epochs shorter than this share a checkpoint


class Recorder(Callback):
    """The run directory's scribe. The row goes to disk before the checkpoint that counts it."""

    def __init__(self, run: RunDirectory, best: Best, extra: dict[str, object]) -> None:
        self.run, self.best = run, best
        self.extra = extra  # arrays every checkpoint carries along: what transforms learned
        self.log = MetricsLog(run.metrics)
        self._saved = time.monotonic()
        self._saved_best = 0

    def start(self, loop: Loop) -> None:
        self._saved = time.monotonic()

    def step(self, loop: Loop, loss: float) -> None:
        every = loop.options.checkpoint.every_steps
        if every and loop.step % every == 0:
            self.save(loop)
        elif loop.options.checkpoint.every_minutes:
            self._save_when_old(loop, 60 * loop.options.checkpoint.every_minutes)

    def epoch(self, loop: Loop, row: Row) -> None:
        self.log.write(row)
        every = loop.options.checkpoint.every_epochs
        if every:
            if (loop.epoch - 1) % every == 0:
                self.save(loop)
        elif not loop.options.checkpoint.every_minutes and not loop.options.checkpoint.every_steps:
            self._save_when_old(loop, SECONDS_BETWEEN)

    def _save_when_old(self, loop: Loop, seconds: float) -> None:
        if time.monotonic() - self._saved >= seconds:
            self.save(loop)

    def save(self, loop: Loop) -> None:
        """Write last.safetensors, and best.safetensors if there is a better epoch than on disk."""
        self.log.flush()
        arrays, values = loop.state_dict()
        arrays |= self.extra  # type: ignore[arg-type]  # arrays by name
        if loop.options.checkpoint.keep_best and self.best.epoch_number > self._saved_best:
            self._save_best(loop)
        Checkpoint(arrays, values).write(self.run.checkpoints / "last.safetensors")
        self._saved = time.monotonic()

    def _save_best(self, loop: Loop) -> None:
        store = loop.network.store
        arrays = {name: self.best.values[span].reshape(store.entries[name].shape) for name, span in store.spans.items()}
        start = 0
        for name, view in store.states.items():
            arrays[name] = self.best.state[start : start + view.size].reshape(view.shape)
            start += view.size
        values = {"epoch": self.best.epoch_number, "step": self.best.step_number, "best": self.best.summary}
        Checkpoint(arrays | self.extra, values).write(self.run.checkpoints / "best.safetensors")  # type: ignore[arg-type]
        self._saved_best = self.best.epoch_number

    def end(self, loop: Loop, error: BaseException | None) -> None:
        if error is None or isinstance(error, InterruptedRunError):
            self.save(loop)
        self.log.flush()
        status = "completed"
        if error is not None:
            status = "failed"
            if isinstance(error, DivergedError):
                status = "diverged"
            elif isinstance(error, InterruptedRunError | KeyboardInterrupt):
                status = "interrupted"
        self.run.finish(status, loop.row, self.best.summary, loop.stop_reason or (str(error) if error else None))
