from __future__ import annotations

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, class_ids, metric


@metric("accuracy", "acc")
class Accuracy(Metric):
    """Share of right answers: argmax of the row, or, for one sigmoid output, y > ½."""

    def update(self, y: Array, target: Array) -> None:
        predicted, truth = class_ids(y, target)
        self.totals += [int(np.count_nonzero(predicted == truth)), len(truth)]
