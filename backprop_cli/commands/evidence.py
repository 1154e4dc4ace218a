"""How far a measured result can be trusted: intervals, calibration, thresholds, groups of rows, the worst rows.

Everything is computed from the answers to a split, which `evaluation` gathers, and is the same each time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, counted
from backprop_cli.engine.metrics.kept import Kept
from backprop_cli.engine.reading import Reading

RESAMPLES = 1000
FEWEST = 100  # resamples that are worth an interval
WORK = 400_000_000  # outputs that all resamples together may look at, once for each metric
SORTS = 20  # metrics of this many take as long as one that sorts
BINS = 10
WORST = 10


@dataclass(frozen=True)
class Evidence:
    """The answers to N examples: outputs y (N, …), targets, what a sigmoid or softmax was given, steps that count."""

    y: Array
    target: Array
    logits: Array | None
    mask: Array | None
    reading: Reading
    metrics: Sequence[Metric]
    losses: Array | None = None  # of each example, where their mean is the loss

    def __len__(self) -> int:
        return len(self.y)

    def measure(self, rows: Any = slice(None)) -> dict[str, float]:
        """Every metric over some of the examples."""
        by_metric = {}
        for metric in self.metrics:
            y = self.y if self.logits is None or not metric.wants_logits else self.logits
            metric.reset()
            metric.update(*counted(y[rows], self.target[rows], None if self.mask is None else self.mask[rows]))
            by_metric[metric.key] = metric.result()
        return by_metric

    @property
    def plain(self) -> bool:
        """Whether an example has one answer: no steps."""
        return self.y.ndim <= 2


def intervals(evidence: Evidence, seed: int = 0, resamples: int = RESAMPLES) -> dict[str, list[float]]:
    """The middle 95 % of the loss and of each metric over examples drawn again with replacement (Efron 1979,
    percentiles); empty where there are too many outputs to do that 100 times."""
    cost = sum(SORTS if isinstance(metric, Kept) else 1 for metric in evidence.metrics)
    count = min(resamples, WORK // max(evidence.y.size * cost, 1))
    if not count or count < min(FEWEST, resamples) or len(evidence) < 2:
        return {}
    rng, n = np.random.default_rng(seed), len(evidence)
    drawn = []
    for _ in range(count):
        rows = rng.integers(0, n, n)
        loss = {} if evidence.losses is None else {"loss": float(evidence.losses[rows].mean())}
        drawn.append(loss | evidence.measure(rows))
    bounds = {}
    for name in drawn[0]:
        values = np.array([draw[name] for draw in drawn])
        if np.isfinite(values).all():
            bounds[name] = np.percentile(values, [2.5, 97.5]).tolist()
    return bounds


def calibration(evidence: Evidence, bins: int = BINS) -> dict[str, Any] | None:
    """Whether answers are right as often as they are sure; None where outputs tell no probabilities of one answer.

    Of an answer of probability p, in bins of p: ECE = Σ_b n_b / N |share right in b − mean p in b|
    Guo, Pleiss, Sun & Weinberger 2017, arXiv:1706.04599. For yes or no, p is the probability of yes.
    """
    reading = evidence.reading
    y, target = counted(evidence.y, evidence.target, evidence.mask)
    p = reading.probabilities(y) if reading.has_classes else None
    if p is None:
        return None
    truth = reading.truth(target, y)
    if reading.kind == "binary":
        sure, right = p.reshape(-1), truth == 1
    else:
        rows = reading.rows(p)
        sure, right = rows.max(axis=1), rows.argmax(axis=1) == truth
    bin_of = np.minimum((sure * bins).astype(int), bins - 1)
    n = np.bincount(bin_of, minlength=bins)
    said, true = (np.bincount(bin_of, weights, minlength=bins) / np.maximum(n, 1) for weights in (sure, right))
    curve = [
        {
            "from": b / bins,
            "to": (b + 1) / bins,
            "samples": int(n[b]),
            "predicted": float(said[b]),
            "true": float(true[b]),
        }
        for b in range(bins)
        if n[b]
    ]
    return {"ece": float((n * np.abs(said - true)).sum() / max(n.sum(), 1)), "curve": curve}


def thresholds(evidence: Evidence) -> list[dict[str, Any]]:
    """For yes or no by probability, or two classes of which the second is the yes: what every threshold would give;
    empty for other outputs."""
    reading = evidence.reading
    y, target = counted(evidence.y, evidence.target, evidence.mask)
    two = reading.kind == "classes" and y.shape[-1] == 2
    p = reading.probabilities(y) if reading.kind == "binary" or two else None
    if p is None:
        return []
    yes, truth = p[..., 1].reshape(-1) if two else p.reshape(-1), reading.truth(target, y) == 1
    rows = []
    for cut in np.arange(1, BINS) / BINS:
        said = yes > cut
        hits, claimed, actual = int((said & truth).sum()), int(said.sum()), int(truth.sum())
        clean = int((~said & ~truth).sum())
        rows.append(
            {
                "threshold": float(cut),
                "precision": hits / claimed if claimed else None,
                "recall": hits / actual if actual else None,
                "f1": 2 * hits / (claimed + actual) if claimed + actual else None,
                "specificity": clean / (len(truth) - actual) if len(truth) > actual else None,
                "yes": claimed,
            }
        )
    return rows


def worst(evidence: Evidence, numbers: Array | None = None, count: int = WORST) -> list[dict[str, Any]]:
    """The examples with the largest errors: those whose right class is the least probable, whose answer is most surely
    wrong where outputs are scores, or whose value is farthest off. `numbers` are their rows in the file, from 0.

    Empty where an example has steps, or several questions.
    """
    reading = evidence.reading
    if not evidence.plain or reading.kind == "labels" or (reading.kind == "values" and not reading.numeric):
        return []
    y, target = evidence.y, evidence.target
    rows = np.arange(len(y)) if numbers is None else numbers
    if reading.kind == "values":
        away = np.abs(y - target.reshape(y.shape)).reshape(len(y), -1).sum(axis=1)
        order = np.argsort(-away, kind="stable")[:count]
        values = [(_bare(target[i]), _bare(y[i]), float(away[i])) for i in order]
        return [
            {"row": int(rows[i]), "true": true, "predicted": said, "error": error}
            for i, (true, said, error) in zip(order, values, strict=True)
        ]
    guess, truth = reading.ids(y), reading.truth(target, y)
    names, p = reading.class_names(y.shape[-1] if y.ndim > 1 else 1), reading.probabilities(y)
    if p is None:
        right = np.where(guess == truth, 1.0, -1.0) * reading.sureness(y)
    elif reading.kind == "binary":
        right = np.where(truth == 1, p.reshape(-1), 1 - p.reshape(-1))
    else:
        right = p[np.arange(len(p)), truth]
    order = np.argsort(right, kind="stable")[:count]
    word = "margin" if p is None else "p(true)"
    return [
        {"row": int(rows[i]), "true": names[truth[i]], "predicted": names[guess[i]], word: float(right[i])}
        for i in order
    ]


def groups(evidence: Evidence, labels: Sequence[str]) -> list[dict[str, Any]]:
    """Every metric over the examples of each label, in the order of the labels' first letters."""
    known = np.asarray(labels, object)
    of_groups = []
    for label in sorted(set(labels), key=_natural):
        rows = np.flatnonzero(known == label)
        of_groups.append({"group": label, "samples": len(rows), **evidence.measure(rows)})
    return of_groups


def _natural(label: str) -> tuple[int, float, str]:
    try:
        return 0, float(label.split(" ", 1)[0]), label
    except ValueError:
        return 1, 0.0, label


def _bare(value: Any) -> Any:
    """A number, or a list where there are several."""
    flat = np.asarray(value, float).reshape(-1).tolist()
    return flat[0] if len(flat) == 1 else flat
