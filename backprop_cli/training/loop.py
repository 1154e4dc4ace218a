"""The training loop, and the state from which it resumes exactly.

Data pass through like this: `Batches` yields (x, y); forward, loss, backward and one update; the
epoch's sums become a row, the row goes to the callbacks. Everything that a resumed run needs is in
`state_dict`: arrays by name, and plain values. The loop and its callbacks are in one file because
they name each other in their types.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.engine.metrics.base import Metric, larger_is_better
from backprop_cli.engine.optimizers.base import Optimizer
from backprop_cli.engine.ranks import ALONE, Ranks
from backprop_cli.engine.replay.epochs import Passed
from backprop_cli.engine.replay.replay import Replay
from backprop_cli.errors import CheckpointError, DivergedError, UsageError, expected
from backprop_cli.runs.rows import Row as Row
from backprop_cli.runs.rows import Rows
from backprop_cli.training.divergence import culprit, finite, healthy, infinite, refuse_infinite
from backprop_cli.training.options import Trainer
from backprop_cli.training.passes import Batches, evaluate
from backprop_cli.training.sums import Sums


class Callback:
    """Four hooks: start, step, epoch, end. Subclasses override the ones they need."""

    @property
    def key(self) -> str:
        """Under which its state is in a checkpoint."""
        return type(self).__name__

    def start(self, loop: Loop) -> None:
        """Training begins, or goes on."""

    def step(self, loop: Loop, loss: float) -> None:
        """A step has been made; `loop.step` counts it. Or several, where nobody had to be told of those before."""

    def next_step(self, loop: Loop) -> float:
        """The first step after `loop.step` that has to be told. Some milliseconds of steps may otherwise be made in
        one go. By default every step, unless the class has no `step` of its own."""
        return loop.step + 1 if type(self).step is not Callback.step else math.inf

    def epoch(self, loop: Loop, row: Row) -> None:
        """An epoch has been measured; `loop.epoch` is the next one."""

    def many_epochs(self, loop: Loop, rows: Rows) -> None:
        """Several short epochs have been measured, `loop` is as after the last. A class that has this of its own, or no
        `epoch`, need not be told of each when it ends."""
        if type(self).epoch is not Callback.epoch:
            for row in rows:
                self.epoch(loop, row)

    def at_once(self, loop: Loop, rows: Rows) -> int:
        """Of these rows to come by `many_epochs`, how many until the network has to be as after the last of them, or
        training may end there."""
        return len(rows)

    def end(self, loop: Loop, error: BaseException | None) -> None:
        """Training is over: complete, or ended by an error. The last callback is told first."""

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """(arrays, plain values) to come back to."""
        return {}, {}

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        """Put back what `state_dict` gave."""


class Loop:
    """One training. `epoch` and `step` count from 1; `batch` is the next batch within the epoch, from 0.

    A process by itself: see training/parallel for the loop of several that share each batch.
    """

    ranks: Ranks = ALONE

    def __init__(
        self,
        network: Network,
        optimizer: Optimizer,
        train: Batches,
        validation: Batches | None,
        options: Trainer,
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.network, self.optimizer, self.options = network, optimizer, options
        self.train, self.validation = train, validation
        self.callbacks = list(callbacks)
        self.metrics: list[Metric] = list(options.metrics)
        for metric in self.metrics:
            metric.kernels = network.kernels
        self.epoch, self.batch, self.step = 1, 0, 0
        self.rate = 0.0
        self.seconds = 0.0
        self.row: Row = {}
        self.stop_reason: str | None = None  # why training ends before its last epoch
        self._update: Callable[[], bool] = lambda: optimizer.step(network.counted)
        self.next_around: Callable[[int], float] = lambda step: math.inf  # the first step from this one on
        self._checks: list[Callable[[], None]] = []
        self.sums = Sums(self.metrics)
        self._clock = time.perf_counter()
        optimizer.bind(network.store, self.total_steps, train.steps_per_epoch, network.kernels)
        self.replay = Replay(self)
        if optimizer.schedule.watches is not None:
            optimizer.schedule.hear(larger_is_better(optimizer.schedule.watches, self.metrics))

    @property
    def total_steps(self) -> int:
        """The batches of all epochs together."""
        return self.options.epochs * self.train.steps_per_epoch

    @property
    def rows_at_once(self) -> int:
        """The most rows of a pass."""
        return self.train.batch_size

    @property
    def finished(self) -> bool:
        """Whether all epochs are over, or something has given a `stop_reason`."""
        return self.epoch > self.options.epochs or self.stop_reason is not None

    @np.errstate(over="ignore", invalid="ignore")  # a NaN or infinite loss is reported once, as an error
    def run(self) -> None:
        """Train to the end. Raises DivergedError, or what a callback raises to stop."""
        self._clock = time.perf_counter() - self.seconds
        error: BaseException | None = None
        try:
            for callback in self.callbacks:
                callback.start(self)
            self._clock = time.perf_counter() - self.seconds  # the callbacks' start is not training time
            while not self.finished:
                if not self._run_short_epochs():
                    self.run_epoch()
        except BaseException as caught:
            error = caught
            raise
        finally:
            self._end(error)

    def _end(self, error: BaseException | None) -> None:
        """Tell every callback, also those after one that fails."""
        for number, callback in reversed(list(enumerate(self.callbacks))):
            try:
                callback.end(self, error)
            except BaseException as caught:
                for other in reversed(self.callbacks[:number]):
                    other.end(self, caught)
                raise

    def run_epoch(self) -> None:
        """Train and measure one epoch, and tell the callbacks."""
        for _ in self.walk():
            pass

    def _run_short_epochs(self) -> bool:
        """The same with several, where nobody has to be told of each when it ends."""
        if self.batch or self.validation is not None or self.optimizer.schedule.watches is not None:
            return False
        kinds = [type(callback) for callback in self.callbacks]
        if any(kind.epoch is not Callback.epoch and kind.many_epochs is Callback.many_epochs for kind in kinds):
            return False
        passed = self.replay.several(self.options.epochs + 1 - self.epoch, self._next_step())
        if passed is None:
            return False
        rows = self._epoch_rows(passed)
        together = min((callback.at_once(self, rows) for callback in self.callbacks), default=len(rows))
        if together < len(rows):
            rows = self._epoch_rows(self.replay.again(together))
        else:
            self.replay.farther()
        self.row, self.seconds = rows[-1], rows[-1]["time"]
        for callback in self.callbacks:
            callback.many_epochs(self, rows)
        return True

    def _epoch_rows(self, passed: Passed) -> Rows:
        """The rows of epochs whose ends were not told; the last one is that before `epoch`."""
        measured, steps = self.sums.results(passed.totals), self.train.steps_per_epoch
        epochs = range(self.epoch - len(passed.rates), self.epoch)
        return Rows(
            {
                "epoch": epochs,
                "step": range(epochs.start * steps, epochs.stop * steps, steps),
                "time": np.round(passed.ends - self._clock, 6).tolist(),
                "learning_rate": passed.rates,
                **{f"train/{name}": values for name, values in measured.items()},
            }
        )

    def _next_step(self) -> float:
        """The first step after this one that some callback has to be told of."""
        return min((callback.next_step(self) for callback in self.callbacks), default=math.inf)

    def walk(self) -> Iterator[float]:
        """The same, step by step: yields the loss of each step after the callbacks have seen it. The epoch is measured
        when the iterator is asked for one more after the last step."""
        for loss in self.steps():
            for callback in self.callbacks:
                callback.step(self, loss)
            yield loss
        self.row = self._close_epoch()
        self.epoch += 1
        self.batch = 0
        for callback in self.callbacks:
            callback.epoch(self, self.row)

    def steps(self) -> Iterator[float]:
        """The rest of the epoch's steps, the loss of each; several at once where they are replayed."""
        batches: Iterator[tuple[Array, Array]] | None = None
        while self.batch < self.train.steps_per_epoch:
            if self.replay.ready():
                batches = None
                loss = self.replay.go(self._next_step())
            else:
                batches = batches or self.train.epoch(self.epoch, self.batch)
                batch = next(batches, None)
                if batch is None:  # of a few, as `bp check` takes
                    return
                loss = self.train_step(*batch)
                self.count(1)
            yield loss

    def count(self, steps: int) -> None:
        """So many steps have been made."""
        self.batch += steps
        self.step += steps

    def around_update(
        self, around: Callable[[Callable[[], bool]], bool], due: Callable[[int], float] | None = None
    ) -> Callable[[], None]:
        """Call `around(update)` in place of every update; it must call `update` and return its result. Returns a
        function that undoes this; undo the last one first. `due(step)`: the first step from `step` on that needs
        `around`; earlier steps may skip it."""
        inner, before = self._update, self.next_around
        self._update = lambda: around(inner)
        self.next_around = lambda step: min(before(step), due(step) if due is not None else step)

        def leave() -> None:
            self._update, self.next_around = inner, before

        return leave

    def between_batches(self, check: Callable[[], None]) -> None:
        """Also call `check` between two batches of an evaluation, before checks added earlier; it may raise."""
        self._checks.insert(0, check)

    def heard(self, signal: int | None) -> int | None:
        """The signal to stop for, if this process has received this one."""
        return signal

    def _poll(self) -> None:
        for check in self._checks:
            check()

    def train_step(self, x: Array, y: Array) -> float:
        """Forward, backward and an update with one batch; its loss. Raises DivergedError."""
        network = self.network
        z = network.forward(x, training=True, copy=False)
        loss = self.take_loss(z, y)
        for metric in self.metrics:
            self.sums.measure(metric, network, y)
        network.backward()
        self.check_gradients(y)
        self.update()
        return loss

    def take_loss(self, z: Array, y: Array) -> float:
        """The loss of outputs z, counted for the epoch's mean. Raises DivergedError."""
        loss = self.network.loss(z, y, self.train.weight)
        if not finite(loss):
            raise self._diverged(f"the loss is {loss}", y)
        self.sums.add_loss(self.network)
        return loss

    def check_gradients(self, y: Array) -> None:
        """Raise DivergedError unless gradients and weights are finite."""
        wrong = infinite(self.network)
        if wrong:
            raise self._diverged(f"a {wrong} is NaN or infinite", y)

    def update(self) -> None:
        """One update, or a batch more towards one."""
        self.rate = self.optimizer.current_rate
        self._update()

    def _diverged(self, what: str, y: Array) -> DivergedError:
        x = self.network.input_buffer(len(y))
        where = f"at step {self.step + 1} (epoch {self.epoch}, learning rate {self.optimizer.current_rate:.4g})"
        return DivergedError(f"{what} {where}; {culprit(self.network)}", (x, y))

    def healthy(self) -> bool:
        """Whether `check_state` finds nothing."""
        return healthy(self.network, self.optimizer.memory)

    def check_state(self) -> None:
        """Raise DivergedError unless weights, running statistics and the optimizer's memory are finite. What is
        not must reach no checkpoint."""
        where = f"after step {self.step} (epoch {self.epoch}, learning rate {self.rate:.4g})"
        refuse_infinite(self.network, self.optimizer.memory, where)

    def _close_epoch(self) -> Row:
        """Measure the epoch. Where that is broken off, nothing has changed, and it can be done again."""
        self.check_state()
        row = self._measured()
        self.sums.reset()
        self.seconds = time.perf_counter() - self._clock
        row["time"] = round(self.seconds, 6)
        self._tell_schedule(row)
        return row

    def _measured(self) -> Row:
        """The row of the epoch whose steps are made, except its time."""
        row: Row = {
            "epoch": self.epoch,
            "step": self.step,
            "time": 0.0,
            "learning_rate": self.rate,
        }
        row.update({f"train/{name}": value for name, value in self.sums.result().items()})
        if self.validation is not None:
            with self.sums.aside(), self.optimizer.averaged():
                measured = self._evaluated(self.validation)
            row.update({f"validation/{name}": value for name, value in measured.items()})
        return row

    def _evaluated(self, split: Batches) -> dict[str, float]:
        return evaluate(self.network, split.epoch(0), self.metrics, self._poll, lambda: split.weight)

    def _tell_schedule(self, row: Row) -> None:
        watched = self.optimizer.schedule.watches
        if watched is None:
            return
        if watched not in row:
            raise UsageError(
                f"optimizer.schedule.monitor: there is no {watched!r} in an epoch's row; "
                f"{expected(watched, [name for name in row if '/' in name])}"
            )
        self.optimizer.schedule.observe(row[watched])

    def state_dict(self) -> tuple[dict[str, Array], dict[str, Any]]:
        """All that training depends on: arrays by name, and plain values for JSON."""
        self.seconds = time.perf_counter() - self._clock
        arrays: dict[str, Array] = {**self.network.parameters, **self.network.states}
        vectors, numbers = self.optimizer.state_dict()
        arrays |= {f"optimizer/{name}": vector for name, vector in vectors.items()}
        arrays |= self.sums.arrays()
        values: dict[str, Any] = {
            "epoch": self.epoch,
            "batch": self.batch,
            "step": self.step,
            "seconds": self.seconds,
            "row": self.row,
            "stop_reason": self.stop_reason,
            "optimizer": numbers,
            "rate": self.rate,
            "rng": {"dropout": self.network.rng.bit_generator.state},
        }
        for callback in self.callbacks:
            more, plain = callback.state_dict()
            key = callback.key
            arrays |= {f"{key}/{name}": array for name, array in more.items()}
            values |= {key: plain} if plain else {}
        return arrays, values

    def load_state_dict(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        """Put back what `state_dict` gave. Raises CheckpointError if it cannot be from this training."""
        try:
            self._load(arrays, values)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise CheckpointError(f"values that no checkpoint of this run has: {error!r:.200}") from None
        position = (self.epoch - 1) * self.train.steps_per_epoch + self.batch
        if self.epoch < 1 or not 0 <= self.batch <= self.train.steps_per_epoch or self.step != position:
            raise CheckpointError(
                f"step {self.step} is not batch {self.batch} of epoch {self.epoch} "
                f"with {self.train.steps_per_epoch} steps an epoch; the data or the batch size have changed"
            )

    def _load(self, arrays: Mapping[str, Array], values: Mapping[str, Any]) -> None:
        network, store = self.network, self.network.store
        store.load({name: arrays[name] for name in network.parameters}, network.parameters, complete=True)
        store.load({name: arrays[name] for name in network.states}, network.states, complete=True)
        self.optimizer.load_state_dict(_under("optimizer", arrays), values["optimizer"])
        self.sums.load(arrays)
        self.epoch, self.batch, self.step = (int(values[name]) for name in ("epoch", "batch", "step"))
        self.seconds, self.rate = float(values["seconds"]), float(values["rate"])
        self.row, self.stop_reason = dict(values["row"]), values["stop_reason"]
        network.rng.bit_generator.state = values["rng"]["dropout"]
        for callback in self.callbacks:
            key = callback.key
            callback.load_state_dict(_under(key, arrays), values.get(key, {}))


def _under(prefix: str, arrays: Mapping[str, Array]) -> dict[str, Array]:
    """The arrays called prefix/name, by name."""
    return {name.removeprefix(f"{prefix}/"): a for name, a in arrays.items() if name.startswith(f"{prefix}/")}
