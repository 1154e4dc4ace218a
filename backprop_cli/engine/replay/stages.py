"""A step of training as a row of stages, with the memory that its batch and its numbers come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.losses.combined import parts_of
from backprop_cli.engine.memory import Bindings
from backprop_cli.engine.metrics.base import Metric
from backprop_cli.engine.optimizers.base import Optimizer
from backprop_cli.engine.replay.program import FeedCall, Program, StreamCall, address

MOST = 1000  # steps made in one go
LEAST = 40  # steps that must still come for it to be worth while
MOST_BYTES = 1 << 28  # that are copied, to make a step in both ways; the steps of larger networks are long beside calls
OWN = "backprop_cli."  # modules whose layers keep to what the engine asks of them


class Feeding(Protocol):
    """What makes batches by kernels alone; see data/feed.py."""

    source: Array
    targets: Array

    def order(self, epoch: int) -> Array: ...

    def fill(self, kernels: Any, rows: Array, coming: Array, raw: Array, x: Array, y: Array) -> None: ...


class Sums(Protocol):
    """What a loop adds up over an epoch."""

    def arrays(self) -> dict[str, Array]: ...

    def measure(self, metric: Metric, network: Network, target: Array) -> None: ...


class Training(Protocol):
    """What is asked of a loop."""

    network: Network
    optimizer: Optimizer
    metrics: list[Metric]
    train: Any
    epoch: int
    batch: int
    step: int
    rate: float
    next_around: Callable[[int], float]

    @property
    def sums(self) -> Sums: ...

    @property
    def total_steps(self) -> int: ...

    def take_loss(self, z: Array, y: Array) -> float: ...

    def check_gradients(self, y: Array) -> None: ...

    def update(self) -> None: ...

    def count(self, steps: int) -> None: ...

    def healthy(self) -> bool: ...


@dataclass
class Stage:
    """A part of a step. `owner`: what is recorded in all its parts or in none."""

    name: str
    owner: Any
    call: Callable[[], Any]
    first: int = 0  # of its operations
    why: str = "not recorded yet"  # it is made by Python; empty where it is replayed


class Steps:
    """The stages of a training's steps, as far as these are of full batches."""

    def __init__(self, training: Training) -> None:
        self.training = training
        self.off = ""  # why nothing is replayed, in words
        self.stages: list[Stage] = []
        self._feed: Feeding | None = None
        self._program: Program | None = None
        self._bound: Bindings | None = None
        self._epoch, self._seen, self._checked = 0, 0, False
        self._held: list[tuple[Metric, Array]] = []  # metrics that are replayed, and where their totals are
        self._loss: Any = 0.0
        self._loss_place: Array | None = None  # where a replayed step leaves it

    def _prepare(self) -> str:
        training = self.training
        network = training.network
        self._feed = getattr(training.train, "feed", None)
        if network.kernels.which != "compiled":
            return "the kernels are not the compiled ones"
        if self._feed is None:
            return "batches are more than rows picked from memory"
        if network.adders:
            return "a layer adds a term to the loss"
        if parts_of(network.loss_function):
            return "the loss has parts"
        if kept_bytes(training) > MOST_BYTES:
            return "a step of so many weights is long beside its calls"
        if training.total_steps - training.step < LEAST:
            return f"fewer than {LEAST} steps are to come"
        n = training.train.batch_size
        feed = self._feed
        self._rows, self._coming = np.zeros(n, np.int64), np.zeros(n, np.int64)
        self._y = np.zeros((n, *feed.targets.shape[1:]), feed.targets.dtype)
        self._raw = np.zeros((n, feed.source.shape[1]), feed.source.dtype)
        self._given = FeedCall(batch=n, rows=address(self._rows), coming=address(self._coming))
        self._scales, self._counts = StreamCall(), StreamCall()
        self._numbers = np.empty(MOST), np.empty(MOST)
        self._places = tuple(map(address, self._numbers))
        return ""

    def ready(self) -> bool:
        """Whether the next step is one for `go`."""
        training = self.training
        if not self.off and self._feed is None:
            self.off = self._prepare()
        full = (training.batch + 1) * training.train.batch_size <= training.train.samples
        return not self.off and full and not training.network.watched

    @property
    def learned(self) -> bool:
        """Whether steps are replayed by now."""
        return self._checked and not self.off

    def _settle(self) -> None:
        """Have everything stand where it stood when the step was recorded, or record again."""
        training = self.training
        bound = training.network.bind(training.train.batch_size)
        if bound is not self._bound or any(metric.totals is not totals for metric, totals in self._held):
            self._bound, self._held = bound, []
            self._program, self._checked, self._seen = None, False, 0
            self.stages = list(self._listed(bound, self._y, self._fill))
        training.network.aim(self._y)
        if self._epoch != training.epoch:
            assert self._feed is not None, "asked where there is one"
            self._epoch = training.epoch
            self._order = np.ascontiguousarray(self._feed.order(self._epoch), np.int64)
            self._point_at_order()

    def _point_at_order(self) -> None:
        self._given.order, self._given.end = address(self._order), len(self._order)

    # ---- the stages

    def _listed(self, bound: Bindings, y: Array, fill: Callable[[], None]) -> Iterator[Stage]:
        """A step from beginning to end, with the arrays of `bound`."""
        training, network = self.training, self.training.network
        names = network.names
        yield Stage("batch", training.train, fill)
        for run, x, out in bound.forward:
            yield Stage(f"{names[id(run.__self__)]} forward", run.__self__, partial(run, x, out, True))
        if network.head is not None:
            forward = partial(network.head.forward, bound.z, bound.output, True)
            yield Stage(network.head.type_name, network.head, forward)
        yield Stage("loss", network.loss_function, partial(self._take_loss, bound.output, y))
        for metric in training.metrics:
            yield Stage(metric.key, metric, partial(training.sums.measure, metric, network, y))
        yield Stage("loss backward", network.loss_function, network.start_backward)
        for run, x, out, dy, dx, sums in bound.backward:
            yield Stage(f"{names[id(run.__self__)]} backward", run.__self__, partial(run, x, out, dy, dx))
            if sums:
                yield Stage("sum of gradients", network, partial(network.add_gradients, sums))
        if network.wiring.penalties:
            yield Stage("penalty", network.loss_function, network.add_penalties)
        yield Stage("check", network, partial(training.check_gradients, y))
        yield Stage("update", training.optimizer, training.update)

    def _take_loss(self, z: Array, y: Array) -> None:
        self._loss = self.training.take_loss(z, y)

    def _fill(self) -> None:
        """The batch, by Python."""
        assert self._feed is not None and self._bound is not None, "asked where there are both"
        n, at = len(self._rows), self.training.batch * len(self._rows)
        self._rows[:] = self._order[at : at + n]
        coming = self._order[at + n : at + 2 * n]
        self._coming[: len(coming)] = coming
        self._feed.fill(self.training.network.kernels, self._rows, self._coming, self._raw, self._bound.input, self._y)


def foreign(owner: Any) -> bool:
    """Whether it is a plugin's, which may do anything."""
    return not type(owner).__module__.startswith(OWN)


def kept_bytes(training: Training) -> int:
    """How much of a training is copied to come back to."""
    store = training.network.store
    return (
        store.values.nbytes + store.state.nbytes + sum(vector.nbytes for vector in training.optimizer.memory.values())
    )
