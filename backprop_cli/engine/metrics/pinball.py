from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.metrics.per_output import rows_of
from backprop_cli.registry import Doc


@metric("pinball", "mean_pinball_loss", "quantile_loss")
class Pinball(Metric):
    """Mean of max(α (t − y), (α − 1)(t − y)) over examples and outputs: least where y is the α-quantile of t.

    Written as `pinball_0.9` for α = 0.9. Koenker & Bassett 1978, doi:10.2307/1913643
    """

    alpha: Annotated[float, Interval(ge=0, le=1), Doc("the quantile that outputs are to be; 0.5 is the median")] = 0.5

    measures = "values"

    @property
    def key(self) -> str:
        return f"{self.type_name}_{self.alpha:g}"

    def update(self, y: Array, target: Array) -> None:
        rows, truth = rows_of(y, target)
        left = truth - rows
        self.totals[0] += np.maximum(self.alpha * left, (self.alpha - 1) * left).sum()
        self.totals[1] += rows.size
