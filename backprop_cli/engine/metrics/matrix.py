"""What metrics share that need the whole confusion matrix: balanced accuracy, MCC, Cohen's kappa."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.metrics.base import Measures, Metric
from backprop_cli.engine.metrics.report import MAX_MATRIX, confusion_matrix
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BuildError


@dataclass(kw_only=True)
class Matrix(Metric):
    """A number about C (K, K), where C[i, j] examples of class i were predicted as class j."""

    maximize: ClassVar[bool] = True
    size: ClassVar[int] = 0
    measures: ClassVar[Measures] = "answers"

    def of(self, matrix: Array) -> float:
        """The metric of a confusion matrix with at least one example."""
        raise NotImplementedError  # every metric has its own

    def check(self, output: Shape, target: Shape, reading: Reading) -> None:
        super().check(output, target, reading)
        if reading.kind == "labels":
            raise BuildError(
                f"the metric {self.type_name} takes one answer a row, but here each of {output[-1]} outputs says yes "
                "or no; use f1 with average: macro"
            )
        if reading.kind == "classes" and output[-1] > MAX_MATRIX:
            raise BuildError(
                f"the metric {self.type_name} needs the confusion matrix of {output[-1]:,} classes; expected at "
                f"most {MAX_MATRIX:,} classes; use accuracy or f1"
            )

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        classes = 2 if reading.kind == "binary" else y.shape[-1]
        counts = confusion_matrix(reading.ids(y).reshape(-1), reading.truth(target, y).reshape(-1), classes)
        if not self.totals.size:
            self.totals = np.zeros(counts.size)
        self.totals += counts.reshape(-1)

    def result(self) -> float:
        if not self.totals.any():
            return float("nan")
        classes = round(self.totals.size**0.5)
        return float(self.of(self.totals.reshape(classes, classes)))
