"""Many trainings of one config, in several processes: each trial is an ordinary run in the sweep's folder."""

from __future__ import annotations

import math
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from backprop_cli.commands.sweep.noted import note
from backprop_cli.commands.sweep.outcomes import Outcome, state_of
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.commands.sweep.workers import Died, Done, Line, Started, Told, Workers
from backprop_cli.config import load_config
from backprop_cli.errors import BpError, DivergedError, InterruptedRunError, PrunedError
from backprop_cli.runs.directory import RunDirectory, now
from backprop_cli.runs.removal import remove
from backprop_cli.training.loop import Callback, Loop, Row
from backprop_cli.untrusted import consent

SECONDS_BETWEEN = 0.25  # epochs of a trial that are told


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
        return next(self._trials, None) if time.monotonic() < self._deadline else None

    def ends(self, trial: Trial, row: dict[str, Any]) -> bool:
        return False

    def finished(self, outcome: Outcome) -> None: ...


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


def run(
    config: Path,
    before: Sequence[Outcome],
    source: Source,
    folder: Path,
    *,
    jobs: int = 1,
    again: bool = False,
    fail_fast: bool = False,
    about: Mapping[str, Any] | None = None,
    watcher: Watcher | None = None,
) -> list[Outcome]:
    """Train the trials of a source, `jobs` at a time, each in its own process; the outcome of every trial, which for
    those that it does not give is the one `before`. sweep.json says what is `about` the sweep.

    A trial that has begun goes on from its last checkpoint; `again` starts it from the beginning. One that fails, or
    whose process dies, stops no other, unless `fail_fast`. Raises InterruptedRunError on a signal, when every trial
    has stopped with a checkpoint.
    """
    watcher = watcher or Silent()
    folder.mkdir(parents=True, exist_ok=True)
    outcomes = {each.trial.id: each for each in before}
    begun: list[Trial] = []

    def tasks() -> Iterator[tuple[Any, ...]]:
        while (trial := source.next()) is not None:
            if not begun:  # now, so that it is known whatever ends this process
                _note(folder, config, list(outcomes.values()), about or {})
            begun.append(trial)
            yield str(config), trial.overrides, str(folder / trial.id), again, source.prunes

    workers, said = Workers(_work, tasks(), jobs), set[str]()
    try:
        for number, event in workers.events():
            trial = begun[number]
            if isinstance(event, Started):
                watcher.started(trial)
            elif isinstance(event, Told) and event.value[0] == "ends":
                workers.answer(number, source.ends(trial, event.value[1]))
            elif isinstance(event, Told):
                _pass_on(event.value, trial, watcher, said)
            else:
                outcome = outcomes[trial.id] = _outcome(event, folder / trial.id, trial, workers.stopped)
                source.finished(outcome)
                watcher.finished(outcome)
                if fail_fast and outcome.status in ("failed", "diverged"):
                    workers.stop()
    finally:
        if begun:
            _note(folder, config, list(outcomes.values()), about or {})
    if workers.received is not None:
        complete = sum(each.status == "completed" for each in outcomes.values())
        name = signal.Signals(workers.received).name
        text = f"stopped by {name} with {complete} of {len(outcomes)} trials complete; add --resume to go on"
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
    return state_of(path, trial, {})


def _note(folder: Path, config: Path, outcomes: Sequence[Outcome], about: Mapping[str, Any]) -> None:
    """Write the values of each trial and its outcome into sweep.json."""
    rows = [
        {"trial": each.trial.id, "varied": each.trial.varied, "status": each.status, "error": each.error}
        for each in outcomes
    ]
    note(folder, rows, config=str(config), **about)


class _Teller(Callback):
    """Reports epochs to the parent process, a few a second; where trials are pruned it asks at each whether to go
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


def _work(task: tuple[str, tuple[str, ...], str, bool, bool], line: Line) -> dict[str, Any]:
    """Run in a worker process: train one trial, or resume it where it was interrupted."""
    from backprop_cli.commands.resume import resume
    from backprop_cli.commands.train import train

    consent.keep_quiet()
    config, overrides, run_dir, again, prunes = task
    path = Path(run_dir)
    listening: dict[str, Any] = {
        "warn": lambda text: line.tell(("said", text)),
        "callbacks": [_Teller(line, prunes)],
    }
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
    except PrunedError as error:
        return {"status": "pruned", "error": str(error), "run_dir": run_dir, **_numbers(error.result)}
    except Exception as error:  # whatever it is, the other trials go on
        status, text = "failed", str(error) if isinstance(error, BpError) else f"{type(error).__name__}: {error}"
    return {"status": status, "error": text, "run_dir": run_dir, "metrics": {}, "best": None}


def _numbers(result: dict[str, Any] | None) -> dict[str, Any]:
    return {key: (result or {}).get(key) for key in ("metrics", "best")}
