"""The base of every metric: gathers over batches, answers at the end."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.kernels import load
from backprop_cli.engine.reading import Reading
from backprop_cli.engine.scratch import Scratch
from backprop_cli.errors import BuildError
from backprop_cli.registry import register, slot

Measures = Literal["values", "answers", "classes", "probabilities"] | None


def metric(name: str, *aliases: str) -> Any:
    """Class decorator: registers a metric under its names."""
    return register("metric", name, *aliases)


@dataclass(kw_only=True)
class Metric(Scratch):
    """A number about outputs and targets.

    `totals` is all it remembers, so that a run can resume mid-epoch: `put_back` a copy.
    Where its size depends on the number of classes it is empty before the first batch.
    """

    maximize: ClassVar[bool] = False  # larger is better
    size: ClassVar[int] = 2  # numbers in `totals`, to begin with
    #: what it measures: `values`, numbers beside numbers; `answers`, classes or yes and no beside the right ones;
    #: `classes`, only outputs that compete; `probabilities`, those of the right answers; None: anything
    measures: ClassVar[Measures] = None
    wants_logits: ClassVar[bool] = False  # is given what a fused sigmoid or softmax gets, rather than what it gives

    totals: Array = slot()
    kernels: Any = slot()  # those of the training, once there is one
    reading: Reading | None = slot()  # how outputs are to be read; whoever builds the network says it

    def __post_init__(self) -> None:
        super().__post_init__()
        self.totals = np.zeros(self.size)
        self.kernels = load("numpy")

    @property
    def key(self) -> str:
        """Its name in metrics.jsonl, after `train/` or `validation/`."""
        return self.type_name

    def check(self, output: Shape, target: Shape, reading: Reading) -> None:
        """Raise BuildError where outputs of this shape (N left out), read like this, are nothing it can measure."""
        if self.measures == "values" and int(np.prod(output)) != int(np.prod(target)):
            raise BuildError(
                f"the metric {self.type_name} compares outputs of shape {output} with targets of shape {target}; "
                "they must be equal; for class ids use accuracy"
            )
        if self.measures == "values" and not reading.numeric:
            raise BuildError(
                f"the metric {self.type_name} measures how far numbers lie apart, but here outputs answer which class "
                "is right; use accuracy, f1 or auc"
            )
        if self.measures not in ("values", None) and reading.kind == "values":
            raise BuildError(
                f"the metric {self.type_name} counts right answers, but outputs and targets are numbers; "
                "use mae, mse or r2"
            )
        if self.measures == "classes" and reading.kind != "classes":
            raise BuildError(
                f"the metric {self.type_name} ranks classes that compete, but here each output is a yes or no of its "
                "own; use accuracy or auc"
            )
        if self.measures == "probabilities" and (reading.kind == "labels" or reading.scale == "scores"):
            what = "each output is a yes or no of its own" if reading.kind == "labels" else "the outputs are scores"
            raise BuildError(
                f"the metric {self.type_name} takes one distribution over classes, but here {what}; use auc"
            )

    def read(self, y: Array, target: Array) -> Reading:
        """How these outputs are to be read."""
        return self.reading or Reading.guess(y, target)

    def put_back(self, totals: Array) -> None:
        """Remember what `totals` was."""
        if totals.shape == self.totals.shape:
            self.totals[...] = totals
        else:
            self.totals = totals.copy()

    def reset(self) -> None:
        self.totals[...] = 0

    def update(self, y: Array, target: Array) -> None:
        """Take in a batch of outputs y and targets."""
        raise NotImplementedError  # every metric has its own

    def result(self) -> float:
        """The metric over everything since `reset`. A mean, unless a metric says otherwise."""
        return float(self.totals[0] / self.totals[1]) if self.totals[1] else float("nan")

    def results(self, totals: Array) -> list[float]:
        """`result` of each of these totals, where `reset` comes next."""
        if type(self).result is Metric.result:
            return means(totals)
        results = []
        for row in totals:
            self.totals[...] = row
            results.append(self.result())
        self.reset()
        return results


def means(totals: Array) -> list[float]:
    """Sum / count of each row, whose first two numbers they are; NaN where nothing counts."""
    sums, counts = totals[:, 0], totals[:, 1]
    mean = np.full(len(totals), np.nan)
    np.divide(sums, counts, out=mean, where=counts != 0)
    values: list[float] = mean.tolist()
    return values


def tell(metrics: Sequence[Metric], reading: Reading, logits: bool) -> None:
    """Tell metrics how outputs are to be read; `logits` where those that want logits will get them."""
    for metric in metrics:
        metric.reading = reading.of_logits() if logits and metric.wants_logits else reading


def larger_is_better(column: str, metrics: Sequence[Metric]) -> bool:
    """Whether a column of metrics.jsonl, such as validation/f1_macro, should rise: the metric of that key says so.
    What none of the metrics computes is a loss, which should fall."""
    return any(metric.maximize for metric in metrics if metric.key == column.rpartition("/")[2])


def counted(y: Array, target: Array, mask: Array | None) -> tuple[Array, Array]:
    """Outputs and targets of the steps that count; mask (N, T) or None."""
    return (y, target) if mask is None else (y[mask], target[mask])


def class_ids(y: Array, target: Array, reading: Reading | None = None) -> tuple[Array, Array]:
    """Predicted and true class ids, flat: the place of each row's largest output, or 0 and 1 for each yes or no."""
    reading = reading or Reading.guess(y, target)
    return reading.ids(y).reshape(-1), reading.truth(target, y).reshape(-1)
