"""One run that is trained: its config, network, loop, recorder and directory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from backprop_cli.data.pipeline import transforms_state
from backprop_cli.engine.arrays import Array
from backprop_cli.errors import BpError
from backprop_cli.model.build import Prepared, Warn
from backprop_cli.model.description import KEY, TRANSFORMS
from backprop_cli.runs.directory import DIAGNOSTICS, RunDirectory
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.callbacks.diagnostics import EVERY, DiagnosticsLog
from backprop_cli.training.callbacks.recorder import Recorder
from backprop_cli.training.callbacks.signals import Signals
from backprop_cli.training.loggers.base import Loggers
from backprop_cli.training.loop import Callback, Loop
from backprop_cli.training.threads import limited


@dataclass
class Session:
    """One run: its config, network, loop, recorder and directory; where ranks share it, rank 0 alone has the last."""

    prepared: Prepared
    loop: Loop
    best: Best
    learned: dict[str, Array]  # what every checkpoint carries along
    recorder: Recorder | None
    run: RunDirectory | None

    @classmethod
    def of(cls, prepared: Prepared, loop_and_best: tuple[Loop, Best], run: RunDirectory | None, warn: Warn) -> Session:
        """The session of a loop, to which it adds what writes the run directory and informs loggers; where `run` is
        None, and on ranks above 0, nothing is added."""
        loop, best = loop_and_best
        learned = {f"{TRANSFORMS}{name}": array for name, array in transforms_state(prepared.transforms).items()}
        document, tables = prepared.description.document()
        learned |= tables
        if run is None or loop.ranks.rank:
            return cls(prepared, loop, best, learned, None, None)
        recorder = Recorder(run, best, learned, {KEY: document}, warn)
        watch = prepared.config.trainer.diagnostics
        if watch:
            every = EVERY if watch is True else watch.every
            loop.callbacks.append(DiagnosticsLog(run.path / DIAGNOSTICS, every))
        loop.callbacks.append(recorder)
        if prepared.config.trainer.loggers:
            loop.callbacks.append(Loggers(prepared.config.trainer.loggers, run.path, warn))
        return cls(prepared, loop, best, learned, recorder, run)

    def go(self, signals: Signals, callbacks: Sequence[Callback]) -> dict[str, Any]:
        """Train to the end; what `result` gives, on every rank that of rank 0. The recorder hears of an epoch before a
        signal ends the run. A BpError carries the result so far."""
        self.loop.callbacks += [*callbacks, signals]
        try:
            with limited(self.prepared.network, self.loop.rows_at_once, self.loop.ranks.threads):
                self.loop.run()
        except BpError as error:
            error.result = self.result()
            raise
        return self.loop.ranks.first(self.result())

    def result(self) -> dict[str, Any]:
        """What `bp train --json` prints."""
        return {
            "run_id": self.run and self.run.id,
            "run_dir": self.run and str(self.run.path),
            "status": self.run and self.run.status,
            "epochs": self.loop.epoch - 1,
            "steps": self.loop.step,
            "seconds": round(self.loop.seconds, 3),
            "metrics": self.loop.row,
            "best": self.best.summary,
        }
