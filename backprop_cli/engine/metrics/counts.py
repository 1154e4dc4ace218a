"""What precision, recall and F1 share: right, guessed and actual examples of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.metrics.base import Measures, Metric
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@dataclass(kw_only=True)
class Counts(Metric):
    """A ratio of counts per class, 0 where its denominator is.

    `average: binary` is that of class 1; `macro` the mean over the classes that occur, among the targets
    or the answers; `weighted` that mean by how many targets each class has; `micro` that of all classes together.
    The default is binary for a yes/no output and for two classes, else macro.
    Of several yes/no outputs only the yes count: by default all together (micro), or as a mean over the outputs.
    """

    average: Annotated[
        Literal["binary", "macro", "weighted", "micro"] | None,
        Doc(
            "of class 1; the mean over the classes, alike or by their number of targets; or all together; by default "
            "binary for two classes, else macro"
        ),
    ] = None

    maximize: ClassVar[bool] = True
    size: ClassVar[int] = 0
    measures: ClassVar[Measures] = "answers"

    @property
    def key(self) -> str:
        return self.type_name if self.average is None else f"{self.type_name}_{self.average}"

    def check(self, output: Shape, target: Shape, reading: Reading) -> None:
        super().check(output, target, reading)
        if self.average == "binary" and (reading.kind == "labels" or (reading.kind == "classes" and output[-1] != 2)):
            raise BuildError(
                f"the metric {self.type_name} with average: binary takes two classes, but there are {output[-1]} "
                f"{'outputs that each say yes or no' if reading.kind == 'labels' else 'of them'}; use average: macro"
            )

    def update(self, y: Array, target: Array) -> None:
        reading = self.read(y, target)
        predicted, truth = reading.ids(y), reading.truth(target, y)
        if reading.kind == "labels":
            counts = np.stack([(predicted & truth).sum(axis=0), predicted.sum(axis=0), truth.sum(axis=0)])
        else:
            classes = 2 if reading.kind == "binary" else y.shape[-1]
            groups = (truth[predicted == truth], predicted, truth)
            counts = np.stack([np.bincount(ids, minlength=classes) for ids in groups])
        if not self.totals.size:
            self.totals = np.zeros(counts.size)
        self.totals += counts.reshape(-1)

    def result(self) -> float:
        right, guessed, actual = counts = self.totals.reshape(3, -1)
        labels = self.reading is not None and self.reading.kind == "labels"
        if self.average == "micro" or (labels and self.average is None):
            right, guessed, actual = counts.sum(axis=1, keepdims=True)
        occurs = guessed + actual > 0
        if not occurs.any():
            return 0.0 if labels and counts.size else float("nan")
        below = self.denominator(guessed, actual)
        ratios = np.divide(right, below, out=np.zeros_like(right), where=below > 0)
        if self.average == "binary" or (self.average is None and len(right) == 2 and not labels):
            return float(ratios[1])
        if self.average == "weighted":
            return float(ratios @ actual / actual.sum()) if actual.any() else 0.0
        return float(ratios[occurs].mean())

    def denominator(self, guessed: Array, actual: Array) -> Array:
        """What the right ones are divided by."""
        raise NotImplementedError  # precision and recall differ in this alone
