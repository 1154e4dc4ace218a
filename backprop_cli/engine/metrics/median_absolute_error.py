from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.kept import Kept
from backprop_cli.engine.metrics.per_output import rows_of


@metric("median_absolute_error", "median_error", "medae")
class MedianAbsoluteError(Kept):
    """Median of |y − t|, which a few large errors do not move: of each output, then the mean over the outputs."""

    measures = "values"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        self.keep(np.abs(rows - truth))

    def result(self) -> float:
        rows = self.kept
        return float("nan") if rows is None else float(np.median(rows, axis=0).mean())
