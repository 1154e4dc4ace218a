"""Many trainings of one config, in several processes: each trial is an ordinary run in the sweep's folder."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from backprop_cli.commands.sweep.noted import Noted, note, noted
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.commands.sweep.workers import Died, Done, Started, Tell, Told, Workers
from backprop_cli.config import load_config
from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, RunError, UsageError
from backprop_cli.runs.directory import RunDirectory, now
from backprop_cli.runs.removal import remove
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.untrusted import consent

SECONDS_BETWEEN = 0.25  # epochs of a trial that are told


@dataclass
class Outcome:
    """The outcome of a trial: its status and, if it ran, what `bp train --json` prints."""

    trial: Trial
    run_dir: Path
    status: str
    result: dict[str, Any] | None = None
    error: str | None = None

    @property
    def best(self) -> dict[str, Any]:
        """{"epoch", "step", monitored name: value} of the best epoch."""
        return (self.result or {}).get("best") or {}

    @property
    def metrics(self) -> dict[str, Any]:
        """The last row of metrics."""
        return (self.result or {}).get("metrics") or {}


class Watcher(Protocol):
    """Receives the events of a sweep."""

    def started(self, trial: Trial) -> None: ...

    def epoch(self, trial: Trial, row: dict[str, Any], epochs: int) -> None:
        """An epoch of `epochs` has been measured; at most a few a second are told."""

    def said(self, text: str) -> None:
        """A warning, the first time that any trial gives it."""

    def finished(self, outcome: Outcome) -> None: ...


class Silent:
    """Ignores the events of a sweep."""

    def started(self, trial: Trial) -> None: ...

    def epoch(self, trial: Trial, row: dict[str, Any], epochs: int) -> None: ...

    def said(self, text: str) -> None: ...

    def finished(self, outcome: Outcome) -> None: ...


def states(
    folder: Path, planned: Sequence[Trial], there: Sequence[RunDirectory] = (), rows: Sequence[Noted] | None = None
) -> list[Outcome]:
    """Each trial as its run directory tells it; `missing` if it was never started.

    A trial that failed before it had a directory is known from sweep.json, of which `rows` are what it holds. Those
    that are `there` were read already.
    """
    rows = noted(folder) if rows is None else rows
    failed = {row["trial"]: row.get("error") for row in rows if row.get("status") == "failed"}
    known = {run.path.name: run for run in there}
    return [_state(folder / trial.id, trial, failed, known.get(trial.id)) for trial in planned]


def _state(path: Path, trial: Trial, failed: dict[str, str | None], run: RunDirectory | None = None) -> Outcome:
    try:
        run = run or RunDirectory(path)
    except UsageError:
        return Outcome(trial, path, "failed" if trial.id in failed else "missing", None, failed.get(trial.id))
    except RunError as error:
        return Outcome(trial, path, "failed", None, str(error))
    result = {"metrics": run.info.get("metrics"), "best": run.info.get("best"), "run_dir": str(path)}
    return Outcome(trial, path, run.status, result, run.info.get("reason"))


def run(
    config: Path,
    before: Sequence[Outcome],
    chosen: Sequence[Trial],
    folder: Path,
    *,
    jobs: int = 1,
    again: bool = False,
    fail_fast: bool = False,
    metrics: Sequence[Metric] = (),
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Train the chosen ones of the trials, `jobs` at a time, each in its own process; the outcome of every trial,
    which for the others is the one `before`. The `metrics` are those that they compute.

    A trial that has begun goes on from its last checkpoint; `again` starts it from the beginning. One that fails, or
    whose process dies, stops no other, unless `fail_fast`. Raises InterruptedRunError on a signal, when every trial
    has stopped with a checkpoint.
    """
    if not chosen:
        return list(before)
    watcher = watcher or Silent()
    folder.mkdir(parents=True, exist_ok=True)
    tasks = [(str(config), trial.overrides, str(folder / trial.id), again) for trial in chosen]
    outcomes = {each.trial.id: each for each in before}
    rising = sorted({metric.key for metric in metrics if metric.maximize})
    _note(folder, config, list(outcomes.values()), rising)  # now, so that it is known whatever ends this process
    workers, said = Workers(_work, tasks, jobs), set[str]()
    try:
        for number, event in workers.events():
            trial = chosen[number]
            if isinstance(event, Started):
                watcher.started(trial)
            elif isinstance(event, Told):
                _pass_on(event.value, trial, watcher, said)
            else:
                outcome = outcomes[trial.id] = _outcome(event, folder / trial.id, trial, workers.stopped)
                watcher.finished(outcome)
                if fail_fast and outcome.status not in ("completed", "interrupted"):
                    workers.stop()
    finally:
        _note(folder, config, list(outcomes.values()))
    if workers.received is not None:
        complete = sum(each.status == "completed" for each in outcomes.values())
        name = signal.Signals(workers.received).name
        text = f"stopped by {name} with {complete} of {len(before)} trials complete; add --resume to go on"
        raise InterruptedRunError(text, workers.received)
    return list(outcomes.values())


def _pass_on(told: tuple[Any, ...], trial: Trial, watcher: Watcher, said: set[str]) -> None:
    kind, *values = told
    if kind == "epoch":
        watcher.epoch(trial, *values)
    elif values[0] not in said:
        said.add(values[0])
        watcher.said(values[0])


def _outcome(event: Done | Died, path: Path, trial: Trial, stopped: bool) -> Outcome:
    if isinstance(event, Done):
        result = event.value
        return Outcome(trial, path, result["status"], result, result.get("error"))
    if not stopped:
        try:
            RunDirectory(path).update(status="failed", ended=now(), reason=event.reason)
        except BpError:
            return Outcome(trial, path, "failed", None, event.reason)
    return _state(path, trial, {})


def _note(folder: Path, config: Path, outcomes: Sequence[Outcome], rising: Sequence[str] = ()) -> None:
    """Write the values of each trial and its outcome into sweep.json."""
    rows = [
        {"trial": each.trial.id, "varied": each.trial.varied, "status": each.status, "error": each.error}
        for each in outcomes
    ]
    note(folder, rows, rising, config=str(config))


class _Teller(Callback):
    """Reports epochs to the parent process, a few a second."""

    def __init__(self, tell: Tell) -> None:
        self._tell, self._told = tell, 0.0

    def epoch(self, loop: Loop, row: Row) -> None:
        if time.monotonic() - self._told > SECONDS_BETWEEN:
            self._told = time.monotonic()
            self._tell(("epoch", row, loop.options.epochs))


def _work(task: tuple[str, tuple[str, ...], str, bool], tell: Tell) -> dict[str, Any]:
    """Run in a worker process: train one trial, or resume it where it was interrupted."""
    from backprop_cli.commands.resume import resume
    from backprop_cli.commands.train import train

    consent.keep_quiet()
    config, overrides, run_dir, again = task
    path = Path(run_dir)
    listening: dict[str, Any] = {"warn": lambda text: tell(("said", text)), "callbacks": [_Teller(tell)]}
    try:
        if again and path.exists():
            remove(RunDirectory(path), path.parent)
        if path.exists():
            return resume(RunDirectory(path), **listening)
        command = ["bp", "sweep", config, *overrides]
        return train(load_config(config, overrides), run_dir=path, command=command, **listening)
    except InterruptedRunError as error:
        status, text = "interrupted", str(error)
    except DivergedError as error:
        status, text = "diverged", str(error)
    except Exception as error:  # whatever it is, the other trials go on
        status, text = "failed", str(error) if isinstance(error, BpError) else f"{type(error).__name__}: {error}"
    return {"status": status, "error": text, "run_dir": run_dir, "metrics": {}, "best": None}


def ranked(
    outcomes: Sequence[Outcome], metrics: Sequence[Metric], monitor: str | None = None, maximize: bool | None = None
) -> tuple[str | None, list[tuple[float, Outcome]]]:
    """The column that tells which trial is best, and the trials with a finite value there, the best first.

    It is named as in `bp runs ls`: `best.validation/loss`, the value at the best epoch, of what the runs themselves
    chose that epoch by; of anything else to `monitor`, the last value, as `validation/loss`. The `metrics` that the
    trials compute say whether it should rise, unless `maximize` does.
    """
    own = [name for each in outcomes if (name := watched(each))]
    name = monitor or next(iter(own), None)
    if name is None:
        return None, []
    at_best = bool(own) and set(own) == {name}
    values = []
    for each in outcomes:
        value = (each.best if at_best else each.metrics).get(name)
        if isinstance(value, int | float) and math.isfinite(value):
            values.append((float(value), each))
    rises = larger_is_better(name, metrics) if maximize is None else maximize
    return f"best.{name}" if at_best else name, sorted(values, key=lambda pair: -pair[0] if rises else pair[0])


def watched(outcome: Outcome) -> str | None:
    """The name of the number that a run chose its best epoch by."""
    return next((key for key in outcome.best if "/" in key), None)
