from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.layer import PositiveInt
from backprop_cli.engine.metrics.base import Array, Metric, metric
from backprop_cli.registry import Doc


@metric("top_k", "top_k_accuracy", "top_k_categorical_accuracy", "sparse_top_k_categorical_accuracy")
class TopK(Metric):
    """Share of rows whose true class is among the k largest outputs (fewer than k are larger than its own).

    Written as `top_5` for k = 5.
    """

    k: Annotated[PositiveInt, Doc("largest outputs among which the true class counts as found")] = 5

    maximize = True

    @property
    def key(self) -> str:
        return f"top_{self.k}"

    def update(self, y: Array, target: Array) -> None:
        rows = y.reshape(-1, y.shape[-1])
        truth = target.argmax(axis=-1) if target.shape == y.shape else target
        own = np.take_along_axis(rows, truth.reshape(-1, 1).astype(np.int64, copy=False), axis=1)
        larger = self.scratch("larger", rows.shape, np.bool_)
        np.greater(rows, own, out=larger)
        self.totals[0] += np.count_nonzero(np.count_nonzero(larger, axis=1) < self.k)
        self.totals[1] += len(rows)
