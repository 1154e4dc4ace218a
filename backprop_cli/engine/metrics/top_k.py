from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@metric("top_k", "top_k_accuracy", "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy")
class TopK(Metric):
    """Share of rows whose true class is among the k largest outputs (fewer than k are larger than its own).

    Written as `top_5` for k = 5. There must be more than k classes.
    """

    k: Annotated[PositiveInt, Doc("largest outputs among which the true class counts as found")] = 5

    maximize = True
    measures = "classes"

    @property
    def key(self) -> str:
        return f"top_{self.k}"

    def check(self, output: Shape, target: Shape, reading: Reading) -> None:
        super().check(output, target, reading)
        if self.k >= output[-1]:
            raise BuildError(
                f"the metric top_k with k = {self.k} is 1 whatever the network says, for there are {output[-1]} "
                f"classes; expected k below {output[-1]}, or accuracy"
            )

    def update(self, y: Array, target: Array) -> None:
        rows = y.reshape(-1, y.shape[-1])
        truth = self.read(y, target).truth(target, y)
        own = np.take_along_axis(rows, truth.reshape(-1, 1), axis=1)
        larger = self.scratch("larger", rows.shape, np.bool_)
        np.greater(rows, own, out=larger)
        self.totals[0] += np.count_nonzero(np.count_nonzero(larger, axis=1) < self.k)
        self.totals[1] += len(rows)
