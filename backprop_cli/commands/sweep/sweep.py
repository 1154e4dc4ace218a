"""Many trainings of one config: each trial is an ordinary run in the sweep's folder.

A trial passes through like this. A source gives it: a plan, or a search that learns. An executor hands it to a process,
here or on another machine, which trains it (`training.train_trial`) into its folder. What it says on the way, how far
it is and what there is to warn of, goes to a watcher; its outcome goes to sweep.json, to the source and to the watcher.
"""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backprop_cli.commands.sweep.executors import Died, Done, Open, Started, Stopped, Told
from backprop_cli.commands.sweep.noted import note
from backprop_cli.commands.sweep.outcomes import Outcome, state_of
from backprop_cli.commands.sweep.training import Task, train_trial
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.errors import BpError, InterruptedRunError
from backprop_cli.runs.directory import RunDirectory, now


class Source(Protocol):
    """Where the trials of a sweep come from."""

    prunes: bool  # whether trials may be ended early

    def next(self) -> Trial | None:
        """The next trial to be trained; None where there are no more."""

    def ends(self, trial: Trial, row: dict[str, Any]) -> bool:
        """Whether a trial is to end after this epoch."""

    def finished(self, outcome: Outcome) -> None:
        """What came of a trial."""


class Listed:
    """Trials that are known before."""

    prunes = False

    def __init__(self, trials: Sequence[Trial], budget: float | None = None) -> None:
        self._trials = iter(trials)
        self._deadline = math.inf if budget is None else time.monotonic() + budget

    def next(self) -> Trial | None:
        """The next trial of the list; None at its end, and once `budget` seconds have passed."""
        return next(self._trials, None) if time.monotonic() < self._deadline else None

    def ends(self, trial: Trial, row: dict[str, Any]) -> bool:
        """False: no trial is ended early."""
        return False

    def finished(self, outcome: Outcome) -> None:
        """Do nothing: the list stays the same, whatever comes of a trial."""


class Watcher(Protocol):
    """Receives the events of a sweep."""

    def started(self, trial: Trial) -> None:
        """A process has begun with a trial."""

    def epoch(self, trial: Trial, row: dict[str, Any], epochs: int) -> None:
        """An epoch of `epochs` has been measured; at most a few a second are told."""

    def said(self, text: str) -> None:
        """A warning, the first time that any trial gives it."""

    def finished(self, outcome: Outcome) -> None:
        """What came of a trial."""


class Silent:
    """Ignores the events of a sweep."""

    def started(self, trial: Trial) -> None:
        """Do nothing."""

    def epoch(self, trial: Trial, row: dict[str, Any], epochs: int) -> None:
        """Do nothing."""

    def said(self, text: str) -> None:
        """Do nothing."""

    def finished(self, outcome: Outcome) -> None:
        """Do nothing."""


def run(
    config: Path,
    before: Sequence[Outcome],
    source: Source,
    folder: Path,
    executor: Open,
    *,
    again: bool = False,
    fail_fast: bool = False,
    about: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Train the trials of a source in the processes of an executor; the outcome of every trial, which for those that
    the source does not give is the one `before`. sweep.json says what is `about` the sweep.

    A trial that has begun goes on from its last checkpoint; `again` starts it from the beginning. One that fails, or
    whose process dies, stops no other, unless `fail_fast`. Raises InterruptedRunError on a signal, when every trial
    has stopped with a checkpoint.
    """
    watcher = watcher or Silent()
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = {outcome.trial.id: outcome for outcome in before}
    begun: list[Trial] = []

    def tasks() -> Iterator[Task]:
        while (trial := source.next()) is not None:
            if not begun:  # now, so that it is known whatever ends this process
                _note(folder, config, list(outcomes.values()), about or {})
            begun.append(trial)
            yield Task(str(config), trial.overrides, str(folder / trial.id), again, source.prunes)

    running, said = executor(train_trial, tasks()), set[str]()
    try:
        for number, event in running.events():
            trial = begun[number]
            if isinstance(event, Started):
                watcher.started(trial)
            elif isinstance(event, Told) and event.value[0] == "ends":
                running.answer(number, source.ends(trial, event.value[1]))
            elif isinstance(event, Told):
                _pass_on(event.value, trial, watcher, said)
            else:
                outcome = outcomes[trial.id] = _outcome(event, folder / trial.id, trial, running.stopped)
                source.finished(outcome)
                watcher.finished(outcome)
                if fail_fast and outcome.status in ("failed", "diverged"):
                    running.stop()
    finally:
        if begun:
            _note(folder, config, list(outcomes.values()), about or {})
    if running.received is not None:
        complete = sum(outcome.status == "completed" for outcome in outcomes.values())
        name = signal.Signals(running.received).name
        text = f"stopped by {name} with {complete} of {len(outcomes)} trials complete; add --resume to go on"
        raise InterruptedRunError(text, running.received)
    return list(outcomes.values())


def _pass_on(told: tuple[Any, ...], trial: Trial, watcher: Watcher, said: set[str]) -> None:
    kind, *values = told
    if kind == "epoch":
        watcher.epoch(trial, *values)
    elif values[0] not in said:
        said.add(values[0])
        watcher.said(values[0])


def _outcome(event: Done | Stopped | Died, path: Path, trial: Trial, stopped: bool) -> Outcome:
    if isinstance(event, Done):
        result = event.value
        return Outcome(trial, path, result["status"], result, result.get("error"))
    if isinstance(event, Stopped):
        return Outcome(trial, path, "interrupted", None, event.reason)
    if not stopped:
        try:
            RunDirectory(path).update(status="failed", ended=now(), reason=event.reason)
        except BpError:
            return Outcome(trial, path, "failed", None, event.reason)
    return state_of(path, trial, {})


def _note(folder: Path, config: Path, outcomes: Sequence[Outcome], about: Mapping[str, Any]) -> None:
    """Write the values of each trial and its outcome into sweep.json."""
    rows = [
        {"trial": known.trial.id, "varied": known.trial.varied, "status": known.status, "error": known.error}
        for known in outcomes
    ]
    note(folder, rows, config=str(config), **about)
