"""One trial of a sweep, as a process trains it; it tells how far it is, and asks whether to go on."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.commands.sweep.executors import Line
from backprop_cli.commands.sweep.sent import Sent, packed
from backprop_cli.config import load_config
from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, PrunedError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.removal import remove
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.untrusted import consent

SECONDS_BETWEEN = 0.25  # epochs of a trial that are told
SECONDS_PACKED = 10.0  # between two copies of a run that are sent back while it is trained


@dataclass(frozen=True)
class Task:
    """A trial that is to be trained."""

    config: str
    overrides: tuple[str, ...]
    run_dir: str
    again: bool  # from the beginning, whatever is there
    prunes: bool  # whether it may be ended early
    sent: Sent | None = None  # the config itself, where another machine may not see its file
    returned: bool = False  # whether the run is sent back, since nobody else sees its folder


class _Teller(Callback):
    """Tells the sweep of epochs, a few a second; where trials are pruned it asks at each whether to go
    on."""

    def __init__(self, line: Line, prunes: bool) -> None:
        self._line, self._prunes, self._told = line, prunes, 0.0

    def epoch(self, loop: Loop, row: Row) -> None:
        if time.monotonic() - self._told > SECONDS_BETWEEN:
            self._told = time.monotonic()
            self._line.tell(("epoch", row, loop.options.epochs))
        if self._prunes and self._line.ask(("ends", row)) and not loop.finished:
            raise PrunedError(f"pruned after epoch {row['epoch']} of {loop.options.epochs}: others were better by then")

    def at_once(self, loop: Loop, rows: Sequence[Row]) -> int:
        return 1 if self._prunes else len(rows)

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        self.epoch(loop, rows[-1])


class _Returner(Callback):
    """Sends the run back from time to time, so that the trial can go on elsewhere if this machine is lost."""

    def __init__(self, line: Line, path: Path) -> None:
        self._line, self._path, self._sent = line, path, time.monotonic()

    def epoch(self, loop: Loop, row: Row) -> None:
        if time.monotonic() - self._sent > SECONDS_PACKED and not loop.finished:
            self._line.tell(("packed", packed(RunDirectory(self._path))))
            self._sent = time.monotonic()

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        self.epoch(loop, rows[-1])


def train_trial(task: Task, line: Line) -> dict[str, Any]:
    """Train a trial, or resume it where it was interrupted: its status and what `bp train --json` prints.

    Raises InterruptedRunError on a signal, with a checkpoint.
    """
    from backprop_cli.commands.resume import resume
    from backprop_cli.commands.train import train

    consent.keep_quiet()
    path, sent, where = Path(task.run_dir), task.sent, ""
    listening: dict[str, Any] = {
        "warn": lambda text: line.tell(("said", text)),
        "callbacks": [_Teller(line, task.prunes), *([_Returner(line, path)] if task.returned else [])],
    }
    try:
        if sent is not None:
            where = f" (on {platform.node()})"
            sent.settle_in(path)
        if task.again and path.exists():
            remove(RunDirectory(path), path.parent)
        if path.exists():
            return resume(RunDirectory(path), **listening)
        command = ["bp", "sweep", task.config, *task.overrides]
        if sent is None:
            return train(load_config(task.config, task.overrides), run_dir=path, command=command, **listening)
        with sent.config(task.overrides) as config:
            return train(config, run_dir=path, command=command, **listening)
    except InterruptedRunError:
        raise
    except DivergedError as error:
        status, text = "diverged", str(error)
    except PrunedError as error:
        return {"status": "pruned", "error": str(error), "run_dir": task.run_dir, **_numbers(error.result)}
    except Exception as error:  # whatever it is, the other trials go on
        status, text = "failed", str(error) if isinstance(error, BpError) else f"{type(error).__name__}: {error}"
        text += where
    return {"status": status, "error": text, "run_dir": task.run_dir, "metrics": {}, "best": None}


def _numbers(result: dict[str, Any] | None) -> dict[str, Any]:
    return {key: (result or {}).get(key) for key in ("metrics", "best")}
