"""What precision, recall and F1 share: right, guessed and actual examples of each class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import numpy as np

from backprop_cli.engine.metrics.base import Array, Metric, class_ids, yes_or_no
from backprop_cli.registry import Doc


@dataclass(kw_only=True)
class Counts(Metric):
    """A ratio of counts per class, 0 where its denominator is.

    `average: binary` is that of class 1; `macro` the mean over the classes that occur, among the targets
    or the answers. The default is binary for yes/no outputs and for two classes, else macro.
    """

    average: Annotated[
        Literal["binary", "macro"] | None,
        Doc("of class 1, or the mean over the classes; by default binary for two classes, else macro"),
    ] = None

    maximize: ClassVar[bool] = True
    size: ClassVar[int] = 0

    @property
    def key(self) -> str:
        return self.type_name if self.average is None else f"{self.type_name}_{self.average}"

    def update(self, y: Array, target: Array) -> None:
        classes = 2 if yes_or_no(y, target, self.reading) else y.shape[-1]
        predicted, truth = class_ids(y, target, self.reading)
        if not self.totals.size:
            self.totals = np.zeros(3 * classes)
        right, guessed, actual = self.totals.reshape(3, classes)
        right += np.bincount(truth[predicted == truth], minlength=classes)
        guessed += np.bincount(predicted, minlength=classes)
        actual += np.bincount(truth, minlength=classes)

    def result(self) -> float:
        right, guessed, actual = self.totals.reshape(3, -1)
        occurs = guessed + actual > 0
        if not occurs.any():
            return float("nan")
        below = self.denominator(guessed, actual)
        ratios = np.divide(right, below, out=np.zeros_like(right), where=below > 0)
        binary = self.average == "binary" or (self.average is None and len(right) == 2)
        return float(ratios[1] if binary else ratios[occurs].mean())

    def denominator(self, guessed: Array, actual: Array) -> Array:
        """What the right ones are divided by."""
        raise NotImplementedError  # precision and recall differ in this alone
