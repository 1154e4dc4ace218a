from __future__ import annotations

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.counts import Counts


@metric("f1", "f1_score")
class F1(Counts):
    """Harmonic mean of precision and recall: 2 · true positives / (guessed + actual).

    Of class 1, or averaged over the classes; see `average`.
    """

    def denominator(self, guessed: Array, actual: Array) -> Array:
        return (guessed + actual) / 2
