"""From suspicions to verdicts: the edits that a sign brings are tried, in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from backprop_cli.errors import ConfigError, DataError
from backprop_cli.insight.doctor import network, training
from backprop_cli.insight.doctor.case import Case, Suspicion
from backprop_cli.insight.doctor.edits import Anatomy, Edit, Patient
from backprop_cli.insight.doctor.probe import Observed, probe

STEPS = 2000  # of a probe
WORK = 4e10  # floating-point operations of a probe: about a second of a small network
HELPED = 0.1  # share of the loss by which an edit must make training end lower
LONGER = 4  # times a probe that goes badly in a way that training may get over
ROUNDS = 3  # verdicts about one config, each about what the one before has left
Sign = Callable[[Case], Suspicion | None]
#: in the order in which one explains the next
SIGNS: list[Sign] = [
    network.unscaled_inputs,
    training.learning_rate_too_small,
    network.wrong_init,
    network.exploding_gradients,
    network.no_gradient,
    network.vanishing_gradients,
    training.learning_rate_too_large,
    network.dead_relu,
    network.saturation,
    training.labels_shuffled,
    training.overfitting,
]


@dataclass
class Tried:
    """The same training, as many steps, with the edit."""

    steps: int
    before: float | None  # the validation loss, or the training loss where there is none; None if training broke off
    after: float


@dataclass
class Verdict:
    """A disease, what shows it, and the edit against it (None where no edit of a config could help)."""

    disease: str
    layer: str | None
    sentence: str
    evidence: dict[str, Any]
    edit: Edit | None
    yaml: str
    tried: Tried | None


@dataclass
class Limits:
    """How long a probe may take: so many steps, seconds or floating-point operations, whichever is less."""

    steps: int = STEPS
    seconds: float = math.inf
    work: float = WORK
    options: dict[str, Any] = field(default_factory=dict)  # for loading: warn, progress

    def probe(self, patient: Patient, edit: Edit | None = None) -> Observed:
        """Train a patient, edited if there is an edit, within the limits: what is seen. Raises ConfigError,
        DataError."""
        return probe(patient.config(edit), self.steps, self.seconds, work=self.work, **self.options)

    def longer(self, times: int) -> Limits:
        """Limits of `times` as many steps, seconds and operations, without the options for loading."""
        return replace(self, steps=self.steps * times, seconds=self.seconds * times, work=self.work * times)

    def again(self, before: Observed) -> Limits:
        """For the same number of steps, however long they take; for as many as allowed, if training broke off."""
        if before.error is not None:
            return self
        return replace(self, steps=max(1, before.steps), seconds=10 * self.seconds + 10, work=math.inf)


def verdicts_on(patient: Patient, evidence: Observed, baseline: Observed | None, limits: Limits) -> Iterator[Verdict]:
    """Verdicts, each about what is left after the edits before it. `baseline` is a probe that edits are compared
    with; it is made when it is needed."""
    for _ in range(ROUNDS):
        case = _case(patient, evidence)
        best: Verdict | None = None
        for sign in SIGNS:
            suspicion = sign(case)
            if suspicion is None:
                continue
            if suspicion.may_pass and evidence is baseline and not evidence.complete:
                evidence = baseline = limits.longer(LONGER).probe(patient)
                case = _case(patient, evidence)
                suspicion = sign(case)
                if suspicion is None:
                    continue
            if baseline is None and suspicion.edits:
                baseline = limits.probe(patient)
            best, after = _try(case, suspicion, sign, baseline, limits)
            if best is not None:
                break
        if best is None and evidence.error is not None:
            best, after = _unexplained(case), None
        if best is None:
            return
        yield best
        if best.edit is None or after is None:
            return
        patient, evidence, baseline = patient.treated(best.edit), after, after


def _case(patient: Patient, evidence: Observed) -> Case:
    return Case(patient, evidence, Anatomy(patient, evidence.config, evidence.network))


def _try(
    case: Case, suspicion: Suspicion, sign: Sign, before: Observed | None, limits: Limits
) -> tuple[Verdict | None, Observed | None]:
    """Try the edits that a suspicion brings: a verdict with the best of them, None if no edit confirms it.

    An edit that removes the sign beats any that does not; then the lower loss wins.
    """
    best: tuple[tuple[bool, float], Edit, Observed] | None = None
    for edit in suspicion.edits if before is not None else ():
        assert before is not None
        try:
            after = limits.again(before).probe(case.patient, edit)
        except (ConfigError, DataError):  # an edit that this config cannot take
            continue
        if not _helped(suspicion, before, after):
            continue
        rank = (sign(_case(case.patient.treated(edit), after)) is not None, after.score)
        if best is None or rank < best[0]:
            best = (rank, edit, after)
        if not rank[0] and not suspicion.best_of_all:
            break
    if best is None and not suspicion.certain:
        return None, None
    advised = best[1] if best else next(iter(suspicion.edits), None)
    verdict = Verdict(
        suspicion.disease,
        suspicion.layer,
        suspicion.sentence,
        suspicion.evidence,
        advised,
        case.patient.yaml(advised) if advised else "",
        None,
    )
    if best is None or before is None:
        return verdict, None
    after = best[2]
    if suspicion.disease != "labels_shuffled":  # the losses of two different targets say nothing about each other
        verdict.tried = Tried(after.steps, before.score if math.isfinite(before.score) else None, after.score)
    return verdict, after


def _helped(suspicion: Suspicion, before: Observed, after: Observed) -> bool:
    """Whether training ends better: by a tenth of the loss; after other targets, better than chance."""
    if after.error is not None or not math.isfinite(after.score):
        return False
    if suspicion.disease == "labels_shuffled":
        return after.chance is not None and after.score < (1 - HELPED) * after.chance
    return not math.isfinite(before.score) or after.score < before.score - HELPED * abs(before.score)


def _unexplained(case: Case) -> Verdict:
    """Training broke off, and no probe shows why: it happened later than a probe goes."""
    rate = case.optimizer.learning_rate
    edit = Edit((f"optimizer.learning_rate={rate / 10:.3g}", "optimizer.clip_norm=1.0"))
    where = case.evidence.nonfinite
    sentence = f"numbers that are not finite: {where.get('what') or case.evidence.error}"
    return Verdict(
        "not_finite", where.get("layer"), sentence, {"error": case.evidence.error}, edit, case.patient.yaml(edit), None
    )
