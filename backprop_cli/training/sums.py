"""Totals over the batches of an epoch or an evaluation: the loss and the metrics, each example counted once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric, counted, means


class Answers(Protocol):
    """What a metric is measured from: a network after a pass, or what several have answered."""

    @property
    def counted(self) -> int: ...
    @property
    def gives_logits(self) -> bool: ...
    @property
    def output(self) -> Array: ...
    @property
    def logits(self) -> Array: ...
    @property
    def output_mask(self) -> Array | None: ...


@dataclass
class Gathered:
    """Answers to the rows of a batch, put together."""

    counted: int
    gives_logits: bool
    output: Array
    logits: Array
    output_mask: Array | None


class Sums:
    """The loss and the totals of the metrics since the last `reset`."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self.metrics = metrics
        self._loss = np.zeros(2)  # loss × what counts, what counts: examples, or steps that no mask leaves out

    def reset(self) -> None:
        """Set the loss and the totals of all metrics to 0."""
        self._loss[...] = 0
        for metric in self.metrics:
            metric.reset()

    def add(self, network: Network, target: Array) -> None:
        """Count the batch whose loss the network has computed last, as it is told: in the unit of the targets."""
        self.add_loss(network)
        for metric in self.metrics:
            self.measure(metric, network, target)

    def add_loss(self, network: Network) -> None:
        """Count the loss alone."""
        self._loss[0] += network.told * network.counted
        self._loss[1] += network.counted

    @staticmethod
    def measure(metric: Metric, network: Answers, target: Array) -> None:
        """Count the batch in one metric."""
        if network.counted:
            y = network.logits if metric.wants_logits and network.gives_logits else network.output
            metric.update(*counted(y, target, network.output_mask))

    def result(self) -> dict[str, float]:
        """The mean loss and every metric by its key. The loss is NaN where nothing counts: batches of padding alone."""
        total, count = self._loss
        return {"loss": float(total / count) if count else math.nan} | {m.key: m.result() for m in self.metrics}

    def results(self, epochs: Array) -> dict[str, list[float]]:
        """`result` of epochs that are over, from the totals of each: those of `arrays`, one after the other."""
        columns = {"loss": means(epochs)}
        first = 2
        for metric in self.metrics:
            columns[metric.key] = metric.results(epochs[:, first : first + metric.totals.size])
            first += metric.totals.size
        return columns

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Keep the metrics' totals while the same metrics measure something else."""
        kept = [metric.totals.copy() for metric in self.metrics]
        try:
            yield
        finally:
            for metric, totals in zip(self.metrics, kept, strict=True):
                metric.put_back(totals)

    def arrays(self) -> dict[str, Array]:
        """The sums by name, for a checkpoint."""
        return {"loop/sums": self._loss} | {f"metric/{i}": metric.totals for i, metric in enumerate(self.metrics)}

    def load(self, arrays: Mapping[str, Array]) -> None:
        """Put back what `arrays` gave. Raises KeyError, ValueError."""
        self._loss[...] = arrays["loop/sums"]
        for i, metric in enumerate(self.metrics):
            metric.put_back(arrays[f"metric/{i}"])
