"""Searches that learn, and trials that are ended early, on Optuna: ask for a trial, tell what came of it.

A trial passes through the room like this. `Search.next` proposes values, writes them into the journal
`optuna.journal` of the sweep's folder, and gives a Trial, as a plan does. The local workers train it; at every epoch
they ask `Search.ends` whether to go on, where trials are pruned. `Search.finished` writes what came of it. Optuna keeps
the journal, models what it says (TPE) and prunes; the runs are bp's.

Nothing but the journal is a state. The chance in a proposal is seeded by the search's seed and the proposal's number,
and CMA-ES is told all trials again when a sweep is resumed; so with one job a search that was killed proposes what it
would have proposed. Optuna's own CMA-ES keeps its state pickled, which would run a stranger's code.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.commands.sweep.axes import MAX_TRIALS, Axis
from backprop_cli.commands.sweep.cma import Cma
from backprop_cli.commands.sweep.journal import JOURNAL, Alone, hold, optuna_of
from backprop_cli.commands.sweep.outcomes import FINISHED, Outcome, states
from backprop_cli.commands.sweep.space import Space, check
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.errors import BpError, RunError, UsageError

STUDY = "bp"


class Search:
    """A search that keeps a journal: `next` proposes, `ends` prunes, `finished` tells. Use as a context.

    Raises UsageError where Optuna is missing, cannot draw an axis, or the journal is another search's; RunError where
    the journal cannot be used.
    """

    def __init__(self, folder: Path, space: Space, limit: int | None = None, budget: float | None = None) -> None:
        self._optuna, self.space, self._folder = optuna_of(), space, folder
        check(space)
        self._limit = min(limit or MAX_TRIALS, MAX_TRIALS)
        self._deadline = time.monotonic() + budget if budget is not None else math.inf
        self.prunes = space.prune != "none"
        self._numbers: dict[str, list[int]] = {}  # of a trial that is not finished: which proposals it is
        self.repeated = 0  # proposals of a trial that was there already
        self._held = hold(folder / JOURNAL)
        try:
            self._studies = self._open(folder / JOURNAL)
            self._propose = self._proposer()
            trials = [self._taken_up(frozen) for frozen in _trials(self._studies[0])]
        except BaseException:
            os.close(self._held)
            raise
        self.outcomes = {outcome.trial.id: outcome for outcome in states(folder, trials)}
        self._waiting = [self.outcomes[key] for key in self._numbers]
        if self.prunes:
            pruners = self._optuna.pruners
            hyperband = pruners.HyperbandPruner(1, max(space.epochs, 1), 3)
            self._pruner = hyperband if space.prune == "hyperband" else pruners.MedianPruner(5, 0)

    def __enter__(self) -> Search:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._held)

    def next(self) -> Trial | None:
        """A trial to be trained: one that has begun, or a new one; None where there are no more."""
        while self._waiting:
            begun = self._waiting.pop(0)
            if begun.status not in FINISHED:
                return begun.trial
            self.finished(begun)  # it ended, and the process before the journal said so
        while time.monotonic() < self._deadline and (number := len(_trials(self._studies[0]))) < self._limit:
            varied = self._propose(number)
            if varied is None:
                return None
            self._write(number, varied)
            trial = Trial.of(self.space.fixed, varied)
            if trial.id in self._numbers:  # it is being trained
                self._numbers[trial.id].append(number)
                self.repeated += 1
            elif trial.id in self.outcomes:
                self.repeated += 1
                self._tell(number, self.outcomes[trial.id])
            else:
                self._numbers[trial.id] = [number]
                self.outcomes[trial.id] = Outcome(trial, self._folder / trial.id, "missing")
                return trial
        return None

    def ends(self, trial: Trial, row: dict[str, Any]) -> bool:
        """Whether a trial is to end after this epoch, since others did better by then."""
        value = row.get(self.space.goals[0].name)
        if value is None or not math.isfinite(value):
            return False
        number = self._numbers[trial.id][0]
        for study in self._studies:
            storage = study._storage
            of_study = storage.get_study_id_from_name(STUDY)
            key = storage.get_trial_id_from_study_id_trial_number(of_study, number)
            storage.set_trial_intermediate_value(key, int(row["epoch"]), float(value))
        journal = self._studies[0]
        return bool(self._pruner.prune(journal, _trials(journal)[number]))

    def finished(self, outcome: Outcome) -> None:
        """Write what came of a trial; one that was interrupted stays open."""
        self.outcomes[outcome.trial.id] = outcome
        if outcome.status in FINISHED:
            for number in self._numbers.pop(outcome.trial.id):
                self._tell(number, outcome)

    def _open(self, path: Path) -> tuple[Any, Any]:
        """The study in the journal, and a copy in memory that values are drawn from: only the copy sees half a
        proposal."""
        storages, create = self._optuna.storages, self._optuna.create_study
        directions = ["maximize" if goal.maximize else "minimize" for goal in self.space.goals]
        try:
            backend = storages.journal.JournalFileBackend(str(path), lock_obj=Alone())
            storage = storages.JournalStorage(backend)
            if storage.get_all_studies():
                journal = self._optuna.load_study(storage=storage, study_name=STUDY)
            else:
                journal = create(storage=storage, study_name=STUDY, directions=directions)
            known = journal.user_attrs.get("bp")
            if known is None and not _trials(journal):
                journal.set_user_attr("bp", self.space.identity)
            elif known != self.space.identity:
                raise UsageError(f"{path} is the journal of another search: {_difference(known, self.space.identity)}")
            copy = create(storage=storages.InMemoryStorage(), study_name=STUDY, directions=directions)
            copy.add_trials(_trials(journal))
        except BpError:
            raise
        except Exception as error:  # Optuna raises many types for a file that is not its journal
            raise RunError(f"{path} is not a journal that Optuna can read: {type(error).__name__}: {error}") from None
        return journal, copy

    def _taken_up(self, frozen: Any) -> Trial:
        """A trial of the journal."""
        by_key = {axis.key: axis for axis in self.space.axes}
        varied = {}
        for key, value in frozen.params.items():
            varied[key] = by_key[key].write(value) if by_key[key].numeric else str(value)
        trial = Trial.of(self.space.fixed, {key: varied[key] for key in by_key if key in varied})
        if not frozen.state.is_finished():
            self._numbers.setdefault(trial.id, []).append(frozen.number)
        return trial

    def _proposer(self) -> Callable[[int], dict[str, str] | None]:
        if self.space.search == "tpe":
            return self._tpe
        if self.space.search == "cma-es":
            self._cma = Cma(self.space)
            for frozen in _trials(self._studies[0]):
                self._cma.propose()
                if frozen.state.is_finished():
                    self._cma.told(frozen)
            return lambda number: self._cma.propose()
        planned = self.space.planned
        return lambda number: planned[number].varied if number < len(planned) else None

    def _tpe(self, number: int) -> dict[str, str]:
        """A tree-structured Parzen estimator (Bergstra et al. 2011), whose chance is in the number."""
        seed = int(np.random.SeedSequence([self.space.seed, number]).generate_state(1)[0])
        copy = self._studies[1]
        copy.sampler = self._optuna.samplers.TPESampler(seed=seed)
        asked = copy.ask()
        varied: dict[str, str] = {}
        for axis in self.space.axes:
            if axis.condition is not None and not axis.condition.met(varied):
                continue
            if not axis.numeric:
                varied[axis.key] = asked.suggest_categorical(axis.key, axis.values)
            elif axis.whole:
                low, high = int(axis.low), int(axis.high)
                varied[axis.key] = axis.write(asked.suggest_int(axis.key, low, high, log=axis.log))
            else:
                varied[axis.key] = axis.write(asked.suggest_float(axis.key, axis.low, axis.high, log=axis.log))
        return varied

    def _write(self, number: int, varied: dict[str, str]) -> None:
        """A proposal into the journal, in one line: it is there whole or not at all."""
        journal, copy = self._studies
        if len(_trials(copy)) == number:
            axes = [axis for axis in self.space.axes if axis.key in varied]
            params = {axis.key: _value(axis, varied[axis.key]) for axis in axes}
            distributions = {axis.key: self._distribution(axis) for axis in axes}
            running = self._optuna.trial.TrialState.RUNNING
            create = self._optuna.trial.create_trial
            copy.add_trial(create(state=running, params=params, distributions=distributions))
        journal.add_trial(_trials(copy)[number])

    def _distribution(self, axis: Axis) -> Any:
        kinds = self._optuna.distributions
        if not axis.numeric:
            return kinds.CategoricalDistribution(axis.values)
        if axis.whole:
            return kinds.IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        return kinds.FloatDistribution(axis.low, axis.high, log=axis.log)

    def _tell(self, number: int, outcome: Outcome) -> None:
        """A trial that diverged counts as one that was pruned: a search should keep away from there."""
        states = self._optuna.trial.TrialState
        values = [goal.value(outcome) for goal in self.space.goals]
        state = {"completed": states.COMPLETE, "pruned": states.PRUNED, "diverged": states.PRUNED}.get(outcome.status)
        if state is None or (state == states.COMPLETE and None in values):
            state = states.FAIL
        if state == states.PRUNED and len(values) > 1:
            state = states.FAIL
        for study in self._studies:
            study.tell(number, values if state == states.COMPLETE else None, state)
        if self.space.search == "cma-es":
            self._cma.told(_trials(self._studies[0])[number])


def _trials(study: Any) -> list[Any]:
    """Those of a study, to be read: a copy of thousands for every proposal would take minutes."""
    trials: list[Any] = study.get_trials(deepcopy=False)
    return trials


def _value(axis: Axis, text: str) -> Any:
    if not axis.numeric:
        return text
    return int(text) if axis.whole else float(text)


def _difference(known: Any, wanted: dict[str, Any]) -> str:
    """`seed 0, now 1`"""
    if not isinstance(known, dict):
        return "bp has not written it"
    key = next((key for key in wanted if known.get(key) != wanted[key]), "")
    before, now = (
        ", ".join(value) if isinstance(value, list) else value for value in (known.get(key), wanted.get(key))
    )
    return f"{key} {before}, now {now}; choose another --name"
