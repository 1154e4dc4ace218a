"""What metrics share that ask how well the order of the scores tells yes from no: AUC, average precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Measures
from backprop_cli.engine.metrics.kept import Kept


@dataclass(kw_only=True)
class Ranking(Kept):
    """A number about the order of the scores of one question, and the mean over the questions that have one.

    Of more than two classes each is held against the rest; of several yes/no outputs each is a question of its own.
    """

    maximize: ClassVar[bool] = True
    least: ClassVar[int] = 2  # the scores, and the class id or a yes or no for each
    measures: ClassVar[Measures] = "answers"
    wants_logits: ClassVar[bool] = True

    def question(self, scores: Array, yes: Array) -> float | None:
        """The metric of one question, from the score and the answer of each row; None where it has none."""
        raise NotImplementedError  # every metric has its own

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        scores = reading.rows(y).astype(np.float64)
        truth = reading.truth(target, y).reshape(len(scores), -1)
        if reading.kind == "classes":
            if reading.scale == "logits":
                scores = _log_odds(scores)
            if scores.shape[1] == 2:
                scores = scores[:, 1:]
        self.keep(np.hstack([scores, truth]))

    def result(self) -> float:
        rows = self.kept
        if rows is None:
            return float("nan")
        questions = rows.shape[1] // 2 if self.reading and self.reading.kind == "labels" else rows.shape[1] - 1
        scores, truth = rows[:, :questions], rows[:, questions:]
        if questions > 1 and truth.shape[1] == 1:
            truth = truth == np.arange(questions)
        areas = [self.question(scores[:, k], truth[:, k] > 0) for k in range(questions)]
        known = [area for area in areas if area is not None]
        return float(np.mean(known)) if known else float("nan")


def _log_odds(z: Array) -> Array:
    """log p_k / (1 − p_k) of the softmax of logits, as z_k − log Σ_{j≠k} e^(z_j), which no rounding of p can tie."""
    odds = np.empty_like(z)
    for k in range(z.shape[1]):
        rest = np.delete(z, k, axis=1)
        top = rest.max(axis=1)
        odds[:, k] = z[:, k] - top - np.log(np.exp(rest - top[:, None]).sum(axis=1))
    return odds
