from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, metric, yes_or_no

LIMIT, BINS = 20.0, 4000  # log-odds from −20 to 20, 0.01 apart


@metric("auc", "roc_auc", "roc_auc_score")
class AUC(Metric):
    """Area under the ROC curve: the chance that a random yes gets a higher score than a random no, ties counting half.

    Scores are counted in 4000 bins of log-odds, from −20 to 20: scores less than 1 % of odds apart may
    count as tied. Of more than two classes: each against the rest, then the mean over those that occur
    together with others. Several yes/no outputs are pooled.
    """

    maximize = True
    size = 0

    def update(self, y: Array, target: Array) -> None:
        scores, truth = self._questions(y, target)
        if not self.totals.size:
            self.totals = np.zeros(scores.shape[1] * 2 * BINS)
        bins = np.clip((scores + LIMIT) * (BINS / (2 * LIMIT)), 0, BINS - 1).astype(np.int64)
        place = (np.arange(scores.shape[1]) * 2 + truth) * BINS + bins
        self.totals += np.bincount(place.reshape(-1), minlength=self.totals.size)

    def _questions(self, y: Array, target: Array) -> tuple[Array, Array]:
        """Log-odds and answers (0 or 1) of Q yes/no questions.  (rows, Q)"""
        if yes_or_no(y, target, self.reading):
            scores = y.reshape(-1, 1).astype(np.float64)
            return scores if self.reading.logits else _log_odds(scores), (target.reshape(-1, 1) > 0.5).astype(np.int64)
        p = y.reshape(-1, y.shape[-1]).astype(np.float64)
        if self.reading.logits:
            p = np.exp(p - p.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
        truth = (target.argmax(axis=-1) if target.shape == y.shape else target).reshape(-1, 1)
        asked = np.arange(p.shape[1])[1 if p.shape[1] == 2 else 0 :]
        return _log_odds(p[:, asked]), (truth == asked).astype(np.int64)

    def result(self) -> float:
        counts = self.totals.reshape(-1, 2, BINS)
        no, yes = counts[:, 0], counts[:, 1]
        pairs = no.sum(axis=1) * yes.sum(axis=1)
        won = (yes * (np.cumsum(no, axis=1) - no / 2)).sum(axis=1)
        asked = pairs > 0
        return float((won[asked] / pairs[asked]).mean()) if asked.any() else float("nan")


def _log_odds(p: Array) -> Array:
    tiny = np.finfo(np.float64).tiny
    return np.log(np.maximum(p, tiny)) - np.log(np.maximum(1 - p, tiny))  # type: ignore[no-any-return]  # a stub gap
