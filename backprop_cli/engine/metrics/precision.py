from __future__ import annotations

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.counts import Counts


@metric("precision", "precision_score")
class Precision(Counts):
    """Share of the examples predicted as a class that belong to it: true positives / (true + false positives).

    Of class 1, or averaged over the classes; see `average`.
    """

    def denominator(self, guessed: Array, actual: Array) -> Array:
        return guessed
