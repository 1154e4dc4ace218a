from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.reading import Reading


@metric("accuracy", "acc", "binary_accuracy", "categorical_accuracy", "sparse_categorical_accuracy", "accuracy_score")
class Accuracy(Metric):
    """Share of right answers: the row's largest output or, for yes/no outputs, y > ½ (logits and scores: > 0).

    Of several yes/no outputs each counts as an answer of its own.
    """

    maximize = True
    measures = "answers"

    def update(self, y: Array, target: Array) -> None:
        reading = self.reading or Reading.guess(y, target)
        rows, count = reading.rows(y), self.scratch("count", (1,), np.int64)
        if reading.kind != "classes":
            self.kernels.right_labels(rows, target.reshape(rows.shape), reading.threshold, count)
            self.totals[1] += rows.size
        else:
            ids = reading.truth(target, y)
            self.kernels.right_classes(rows, ids, count)
            self.totals[1] += ids.size
        self.totals[0] += count[0]
