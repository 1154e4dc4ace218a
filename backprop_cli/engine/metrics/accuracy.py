from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, class_ids, metric


@metric("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "accuracy_score")
class Accuracy(Metric):
    """Share of right answers: the row's largest output or, for yes/no outputs, y > ½ (logits and scores: > 0).

    Of several yes/no outputs each counts as an answer of its own.
    """

    maximize = True
    measures = "answers"

    def update(self, y: Array, target: Array) -> None:
        predicted, truth = class_ids(y, target, self.reading)
        self.totals[0] += np.count_nonzero(predicted == truth)
        self.totals[1] += truth.size
