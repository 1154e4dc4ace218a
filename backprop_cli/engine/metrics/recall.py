from __future__ import annotations

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.counts import Counts


@metric("recall", "recall_score")
class Recall(Counts):
    """Share of a class's examples that are predicted as such: true positives / (true positives + false negatives).

    Of class 1, or averaged over the classes; see `average`.
    """

    def denominator(self, guessed: Array, actual: Array) -> Array:
        return actual
