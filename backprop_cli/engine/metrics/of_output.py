from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.metrics.base import Metric, metric
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BuildError, expected
from backprop_cli.registry import Doc, Registered, slot


@metric("of_output")
class OfOutput(Metric):
    """Another metric of one output alone, where the loss `combined` has several: kind_accuracy.

    The output is that of the layer of this name, compared with the targets that its part of the loss names.
    """

    output: Annotated[str, Doc("the name of the layer, as in the parts of the loss")]
    metric: Annotated[Any, Registered("metric"), Doc("what is measured of it")]

    part: Any = slot()

    def __post_init__(self) -> None:
        super().__post_init__()
        self.maximize = self.metric.maximize  # type: ignore[misc]  # of the class, elsewhere
        self.totals = np.zeros(self.metric.size)

    @property
    def key(self) -> str:
        return f"{self.output}_{self.metric.key}"

    def take_part(self, parts: Mapping[str, Any]) -> None:
        """Hear which outputs there are. Raises BuildError where this is none."""
        if self.output not in parts:
            told = expected(self.output, parts) if parts else "the loss has no parts; see the loss combined"
            raise BuildError(f"the metric of_output: no output {self.output!r}; {told}")
        self.part = parts[self.output]
        self.metric.reading = self.part.reading

    def check(self, output: Shape, target: Shape, reading: Reading) -> None:
        self.metric.check((self.part.width,), () if self.part.ids else (len(self.part.targets),), self.part.reading)

    def update(self, y: Array, target: Array) -> None:
        self.metric.kernels, self.metric.totals = self.kernels, self.totals
        self.metric.update(np.ascontiguousarray(y[:, self.part.place]), self.part.of_target(target))
        self.totals = self.metric.totals

    def result(self) -> float:
        self.metric.totals = self.totals
        return float(self.metric.result())
