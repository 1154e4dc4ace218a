"""The base of every metric: gathers over batches, answers at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.registry import Component, register

Array = npt.NDArray[Any]


def metric(name: str, *aliases: str) -> Any:
    """Class decorator: files a metric under its names."""
    return register("metric", name, *aliases)


@dataclass(kw_only=True)
class Metric(Component):
    """A number about outputs and targets. `totals` is all it remembers, so that a run can resume mid-epoch."""

    size = 2  # numbers in `totals`

    def __post_init__(self) -> None:
        super().__post_init__()
        self.totals = np.zeros(self.size)

    def reset(self) -> None:
        self.totals[...] = 0

    def update(self, y: Array, target: Array) -> None:
        """Take in a batch of outputs y and targets."""
        raise NotImplementedError

    def result(self) -> float:
        """The metric over everything since `reset`. A mean, unless a metric says otherwise."""
        return float(self.totals[0] / self.totals[1]) if self.totals[1] else float("nan")


def class_ids(y: Array, target: Array) -> tuple[Array, Array]:
    """Predicted and true class ids: from one sigmoid output (above ½ is 1) or a row of scores."""
    if y.shape[-1] == 1 or (y.shape == target.shape and target.ndim == 1):
        return (y.reshape(-1) > 0.5).astype(np.int64), (target.reshape(-1) > 0.5).astype(np.int64)
    predicted = y.argmax(axis=-1).reshape(-1)
    truth = target.argmax(axis=-1) if target.shape == y.shape else target
    return predicted, truth.reshape(-1).astype(np.int64)
