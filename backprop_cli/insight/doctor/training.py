"""Signs of a disease of the training: its learning rate, its labels, its end. Each with the edits that might cure it.

A sign is a suspicion, not a verdict: `verdicts.py` tries the edits, and most verdicts are only given if one of
them helps. So the thresholds here may be generous; docs/doctor.md gives their reasons and what was measured.
"""

from __future__ import annotations

import numpy as np

from backprop_cli.insight.doctor.case import Case, Suspicion, broke, spiked
from backprop_cli.insight.doctor.edits import Edit
from backprop_cli.insight.doctor.targets import RELATED, dependence, other_targets

SMALL_UPDATE = 3e-5  # the largest ‖Δw‖/‖w‖ of any layer and step; about 1e-3 is usual
LARGE_UPDATE = 1e-2  # where the loss does not fall
HUGE_UPDATE = 0.1  # where it does
DIED = 0.5  # share of a layer's ReLU units that are dead at the end and were not at first
RISE = 1.5  # of the validation loss over its best, and over the training loss


def learning_rate_too_small(case: Case) -> Suspicion | None:
    """No update, or none that could be seen in the weights."""
    updates = case.evidence.series("update_ratio")
    if not updates:
        return None
    rate = case.optimizer.learning_rate
    largest = max(map(max, updates.values()))
    if rate > 0 and largest > SMALL_UPDATE:
        return None
    default = float(type(case.optimizer)().learning_rate)
    rates = {rate * 100, rate * 10_000, default, default * 10, default * 100}
    edits = [_rate(tried) for tried in sorted(rates) if rate < tried <= 1]
    what = "zero" if rate == 0 else "too small"
    sentence = (
        f"the learning rate is {what}: a step changes weights by at most {largest:.1e} of their size; 1e-3 is usual"
    )
    numbers = {"learning_rate": rate, "update_ratio": largest}
    return Suspicion("learning_rate_too_small", sentence, edits, None, numbers, certain=rate == 0, best_of_all=True)


def learning_rate_too_large(case: Case) -> Suspicion | None:
    """A loss that breaks off, jumps, or does not fall although the weights change a lot."""
    evidence, rate = case.evidence, case.optimizer.learning_rate
    updates = evidence.typical("update_ratio")
    typical = max(updates.values(), default=0.0)
    restless = typical > (LARGE_UPDATE if evidence.stuck else HUGE_UPDATE)
    died = evidence.stuck and any(
        measures.get("dead", 0) > DIED > evidence.first.get(name, {}).get("dead", 0)
        for name, measures in evidence.last.items()
    )
    if rate == 0 or not (evidence.error or restless or died or spiked(evidence)):
        return None
    edits = [_rate(rate / 10.0**k) for k in range(1, 4)]
    if evidence.error:
        what = "training broke off" + broke(evidence)
    else:
        top = max(evidence.losses)
        what = f"the loss went from {evidence.start:.3g} up to {top:.3g} and is {evidence.end:.3g} at the end"
    sentence = f"the learning rate of {rate:g} is too large: {what}"
    numbers = {"learning_rate": rate, "update_ratio": typical, "error": evidence.error}
    passing = evidence.error is None
    return Suspicion("learning_rate_too_large", sentence, edits, None, numbers, best_of_all=True, may_pass=passing)


def labels_shuffled(case: Case) -> Suspicion | None:
    """Targets that have nothing to do with the inputs: all one can do is learn them by heart (Zhang et al. 2017)."""
    evidence = case.evidence
    held = [row["validation/loss"] for row in evidence.epochs if row.get("validation/loss") is not None]
    if not held or evidence.chance is None or min(held) < 0.97 * evidence.chance:
        return None
    by_heart = evidence.end < 0.8 * evidence.chance
    if not by_heart and not (evidence.complete and len(evidence.epochs) >= 5):
        return None
    strength = dependence(evidence.x, evidence.y)
    if strength is None or strength > RELATED:
        return None
    seen = f"the training loss falls to {evidence.end:.3g}" if by_heart else "the training loss does not fall"
    sentence = (
        f"labels as if shuffled: {seen}, the validation loss is never below chance ({evidence.chance:.3g}), and "
        f"examples that are alike agree on their label no more often than any two ({strength:+.1f} standard deviations)"
    )
    numbers = {"validation_loss": min(held), "chance": evidence.chance, "neighbours": strength}
    return Suspicion(
        "labels_shuffled",
        sentence,
        list(other_targets(case.patient, evidence.config)),
        None,
        numbers,
        certain=True,
        best_of_all=True,
    )


def overfitting(case: Case) -> Suspicion | None:
    """A validation loss that turned round while the training loss fell on."""
    evidence = case.evidence
    rows = [row for row in evidence.epochs if row.get("validation/loss") is not None]
    if len(rows) < 3 or evidence.config.trainer.early_stopping is not None:
        return None
    held, train = ([row[f"{split}/loss"] for row in rows] for split in ("validation", "train"))
    tenth = max(1, len(rows) // 10)
    best, kept, left = int(np.argmin(held)), float(np.median(held[-tenth:])), float(np.median(train[-tenth:]))
    matters = 0.1 * (evidence.chance if evidence.chance is not None else abs(held[0]))
    if kept < RISE * max(held[best], left) or left > 0.9 * train[best] or kept - held[best] < matters:
        return None
    sentence = (
        f"overfitting: since epoch {rows[best]['epoch']} the validation loss went from {held[best]:.3g} up to "
        f"{kept:.3g}, while the training loss went from {train[best]:.3g} down to {left:.3g}"
    )
    numbers = {"epoch": rows[best]["epoch"], "best": held[best], "kept": kept, "train": left}
    patience = max(3, min(10, len(rows) // 10))
    edit = Edit((f"trainer.early_stopping={{monitor: validation/loss, patience: {patience}}}",))
    return Suspicion("overfitting", sentence, [edit], None, numbers, certain=True)


def _rate(value: float) -> Edit:
    return Edit((f"optimizer.learning_rate={value:.3g}",))
