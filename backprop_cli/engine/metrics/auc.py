from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric


@metric("auc", "roc_auc", "roc_auc_score")
class AUC(Metric):
    """Area under the ROC curve: the chance that a random yes gets a higher score than a random no, ties counting half.

    AUC = (Σ ranks of the yes − n₁ (n₁ + 1)/2) / (n₀ n₁)          n₁ yes, n₀ no; tied scores share their mean rank
    It depends on the order of the scores alone. Of more than two classes each is held against the rest, of several
    yes/no outputs each is a question of its own; then it is the mean over those that have both yes and no. The
    scores of an epoch are kept until its end. Hanley & McNeil 1982, doi:10.1148/radiology.143.1.7063747
    """

    maximize = True
    size = 0  # then how many numbers a row has, and the rows: the scores, and the class id or a yes or no for each
    measures = "answers"
    wants_logits = True

    def reset(self) -> None:
        self.totals = np.zeros(0)

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        scores = reading.rows(y).astype(np.float64)
        truth = reading.truth(target, y).reshape(len(scores), -1)
        if reading.kind == "classes":
            if reading.scale == "logits":
                scores = _log_odds(scores)
            if scores.shape[1] == 2:
                scores = scores[:, 1:]
        rows = np.hstack([scores, truth])
        if self._empty:  # or of an older layout
            self.totals = np.zeros(0)
            rows = np.insert(rows.reshape(-1), 0, rows.shape[1])
        self._keep(rows)

    @property
    def _empty(self) -> bool:
        return not self.totals.size or self.totals[0] < 2

    def _keep(self, numbers: Array) -> None:
        """Append to `totals`, in memory that doubles when it is full."""
        n, more = self.totals.size, numbers.size
        room = self.memory.get("kept")
        if room is None or room.size < n + more or (n and self.totals.base is not room):
            room = self.memory["kept"] = np.empty(2 * (n + more))
            room[:n] = self.totals
        room[n : n + more] = numbers.reshape(-1)
        self.totals = room[: n + more]

    def result(self) -> float:
        if self._empty:
            return float("nan")
        rows = self.totals[1:].reshape(-1, int(self.totals[0]))
        questions = rows.shape[1] // 2 if self.reading and self.reading.kind == "labels" else rows.shape[1] - 1
        scores, truth = rows[:, :questions], rows[:, questions:]
        if questions > 1 and truth.shape[1] == 1:
            truth = truth == np.arange(questions)
        areas = [_area(scores[:, k], truth[:, k] > 0) for k in range(questions)]
        known = [each for each in areas if each is not None]
        return float(np.mean(known)) if known else float("nan")


def _area(scores: Array, yes: Array) -> float | None:
    """The AUC of one question; None without a yes or without a no."""
    positive = int(np.count_nonzero(yes))
    pairs = positive * (len(yes) - positive)
    if not pairs:
        return None
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2  # the mean rank of each group of equal scores
    return float((ranks[place.reshape(-1)][yes].sum() - positive * (positive + 1) / 2) / pairs)


def _log_odds(z: Array) -> Array:
    """log p_k / (1 − p_k) of the softmax of logits, as z_k − log Σ_{j≠k} e^(z_j), which no rounding of p can tie."""
    odds = np.empty_like(z)
    for k in range(z.shape[1]):
        rest = np.delete(z, k, axis=1)
        top = rest.max(axis=1)
        odds[:, k] = z[:, k] - top - np.log(np.exp(rest - top[:, None]).sum(axis=1))
    return odds
