"""The base of every metric: gathers over batches, answers at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from backprop_cli.engine.layer import Shape
from backprop_cli.engine.losses.base import Reading
from backprop_cli.engine.scratch import Scratch
from backprop_cli.errors import BuildError
from backprop_cli.registry import register, slot

Array = npt.NDArray[Any]


def metric(name: str, *aliases: str) -> Any:
    """Class decorator: files a metric under its names."""
    return register("metric", name, *aliases)


@dataclass(kw_only=True)
class Metric(Scratch):
    """A number about outputs and targets.

    `totals` is all it remembers, so that a run can resume mid-epoch: assign a copy to put it back.
    Where its size depends on the number of classes it is empty before the first batch.
    """

    maximize: ClassVar[bool] = False  # larger is better
    size: ClassVar[int] = 2  # numbers in `totals`, to begin with
    of_values: ClassVar[bool] = False  # compares numbers with numbers, rather than answers with classes

    totals: Array = slot()
    reading: Reading = slot()  # how outputs are to be read; the builder takes it from the loss

    def __post_init__(self) -> None:
        super().__post_init__()
        self.totals = np.zeros(self.size)
        self.reading = Reading()

    @property
    def key(self) -> str:
        """Its name in metrics.jsonl, after `train/` or `validation/`."""
        return self.type_name

    def check(self, output: Shape, target: Shape) -> None:
        """Raise BuildError where outputs of this shape cannot be measured against such targets (N left out)."""
        if self.of_values and int(np.prod(output)) != int(np.prod(target)):
            raise BuildError(
                f"the metric {self.type_name} compares outputs of shape {output} with targets of shape {target}; "
                "they must be equal; for class ids use accuracy"
            )

    def reset(self) -> None:
        self.totals[...] = 0

    def update(self, y: Array, target: Array) -> None:
        """Take in a batch of outputs y and targets."""
        raise NotImplementedError  # every metric has its own

    def result(self) -> float:
        """The metric over everything since `reset`. A mean, unless a metric says otherwise."""
        return float(self.totals[0] / self.totals[1]) if self.totals[1] else float("nan")


def counted(y: Array, target: Array, mask: Array | None) -> tuple[Array, Array]:
    """Outputs and targets of the steps that count; mask (N, T) or None."""
    return (y, target) if mask is None else (y[mask], target[mask])


def yes_or_no(y: Array, target: Array, reading: Reading) -> bool:
    """Whether every output answers a question of its own, as against classes that compete."""
    return reading.independent or y.shape[-1] == 1 or (y.shape == target.shape and target.ndim == 1)


def class_ids(y: Array, target: Array, reading: Reading | None = None) -> tuple[Array, Array]:
    """Predicted and true class ids, flat: 0 or 1 for yes-or-no outputs, else the place of the row's largest."""
    reading = reading or Reading()
    if yes_or_no(y, target, reading):
        threshold = 0 if reading.logits else 0.5
        return (y.reshape(-1) > threshold).astype(np.int64), (target.reshape(-1) > 0.5).astype(np.int64)
    truth = target.argmax(axis=-1) if target.shape == y.shape else target
    return y.argmax(axis=-1).reshape(-1), truth.reshape(-1).astype(np.int64, copy=False)
