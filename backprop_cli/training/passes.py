"""Passes over batches in inference mode: what a network answers, and how well."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.training.sums import Sums
from backprop_cli.training.threads import limited


class Batches(Protocol):
    """What training needs of the data room."""

    steps_per_epoch: int
    samples: int
    batch_size: int

    @property
    def weight(self) -> Any:
        """Of the rows of the last batch; None where all count alike."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]: ...


def outputs(network: Network, batches: Batches) -> Iterator[tuple[Array, Array]]:
    """The outputs and the targets of each batch in order, in inference mode, with as many threads as pay."""
    with limited(network, batches.batch_size):
        for x, y in batches.epoch(0):
            yield network.forward(x), y


def evaluate(
    network: Network,
    batches: Iterable[tuple[Array, Array]],
    metrics: Sequence[Metric],
    between: Callable[[], None] | None = None,
    weight: Callable[[], Any] = lambda: None,
    averaged: Callable[[Array], Array] | None = None,
) -> dict[str, float]:
    """Loss and metrics over batches, in inference mode. `between` is called before each batch; it may raise.
    `weight` gives how much each row of the last batch counts in the loss. `averaged` makes of the outputs of a batch
    those that are measured in their place."""
    sums = Sums(metrics)
    sums.reset()
    for x, y in batches:
        if between is not None:
            between()
        z = network.forward(x, copy=False)
        z = z if averaged is None else averaged(z)
        network.loss(z, y, weight())
        sums.add(network, y)
    return sums.result()
