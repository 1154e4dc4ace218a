"""The loop of a rank: passes its parts of each batch, and makes the update that all make."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any
from zlib import crc32

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import DivergedError, RunError
from backprop_cli.training.divergence import finite, first_nonfinite
from backprop_cli.training.loop import Loop, Row
from backprop_cli.training.parallel.answers import Answers
from backprop_cli.training.parallel.tree import Tree
from backprop_cli.training.passes import Batches
from backprop_cli.training.sums import Sums

COLUMNS = 3  # of a part in the table: told loss × counted, loss × counted, counted


class SharedLoop(Loop):
    """A training whose batches are cut into the parts of `ranks`. Its batches hold this rank's rows alone."""

    def __init__(self, *arguments: Any, ranks: Ranks) -> None:
        arguments[0].join(ranks)  # first: the optimizer asks whether gradients are sums
        super().__init__(*arguments)
        self.ranks = ranks
        self.replay.off = "each batch is cut into parts, whose gradients are summed"
        self._received: int | None = None  # a signal, by this process
        self._heard: int | None = None  # by any, as all know since the last table
        self._tree = Tree(self.network.store.gradients[: self.network.store.trainable])

    @property
    def rows_at_once(self) -> int:
        return _length(self.ranks.own(self.train.batch_size)[0])

    def heard(self, signal: int | None) -> int | None:
        self._received = signal
        return self._heard

    def train_step(self, x: Array, y: Array) -> float:
        """Forward and backward with this rank's rows of a batch, the update of all; the loss of all. Raises
        DivergedError, on every rank."""
        loss = self._pass(self.train, self.batch, x, y, training=True)
        if not finite(loss):
            raise self._apart(f"the loss is {loss}", x, y)
        self.sums.add_loss(self.network)
        try:
            self.check_gradients(y)
        except DivergedError as error:
            raise self._apart(str(error).partition(" at step")[0], x, y) from None
        self.update()
        return loss

    def _pass(self, split: Batches, batch: int, x: Array, y: Array, training: bool) -> float:
        """Pass this rank's parts of a batch, whose rows are x and y, count the whole of it, give its loss and, where it
        is trained on, leave the gradient of that."""
        network, ranks, n = self.network, self.ranks, self._rows(split, batch, x)
        own = ranks.own(n)
        numbers = np.zeros((len(own), COLUMNS))
        answers = Answers(network, self.metrics)
        drawn = network.rng.bit_generator.state
        for index, rows in enumerate(self._parts(n)):
            if rows.stop > rows.start:
                network.rng.bit_generator.state = drawn  # each part takes its rows of what is drawn for all
                told, loss = self._one(split, x[rows], y[rows], rows, n, training)
                counted = network.counted
                numbers[index] = told * counted, loss * counted, counted
                answers.take(copy=len(own) > 1)
            elif training:
                self._tree.vector[...] = 0
            if training:
                self._tree.add(last=index == len(own) - 1)
        if training and n < ranks.parts:  # a rank without rows has drawn nothing
            network.rng.bit_generator.state = ranks.first(network.rng.bit_generator.state)
        table = ranks.table(np.append(numbers, self._received or 0))
        self._heard = int(table[:, -1].max()) or None
        told, loss, total = table[:, :-1].reshape(-1, COLUMNS).sum(axis=0).tolist()
        network.counted = int(total) if math.isfinite(total) else 0
        network.told = told / total if total else 0.0
        answers.measure(y, [_length(ranks.rows(n, rank)) for rank in range(ranks.count)], ranks)
        if training:
            ranks.add(self._tree.vector)
            if total not in (0, n):  # a mask leaves steps out
                np.multiply(self._tree.vector, n / total, out=self._tree.vector)
        return loss / total if total else 0.0

    def _rows(self, split: Batches, batch: int, x: Array) -> int:
        """How many rows a batch has, those of all ranks; x are this rank's."""
        return len(x) if self.ranks.count == 1 else min(split.batch_size, split.samples - batch * split.batch_size)

    def _parts(self, n: int) -> Iterator[slice]:
        """Where this rank's parts of a batch of n rows are among its rows; the pass may draw for that part."""
        own = self.ranks.own(n)
        for part in own:
            self.ranks.batch = (n, part)
            yield slice(part.start - own[0].start, part.stop - own[0].start)

    def _one(
        self, split: Batches, x: Array, y: Array, rows: slice, n: int, training: bool, backward: bool = True
    ) -> tuple[float, float]:
        """Pass one part of a batch of n rows forward and, to train, backward: its told loss, its loss."""
        network, weight = self.network, split.weight
        z = network.forward(x, training=training, copy=False)
        loss = network.loss(z, y, None if weight is None else weight[rows])
        if training and backward:
            network.share = network.counted / n
            network.backward()
            network.share = 1.0
        return network.told, loss

    def _apart(self, what: str, x: Array, y: Array) -> DivergedError:
        """The same error on every rank. It names the first layer with a number that is not finite, and the rank where
        that is: each makes its own passes once more, since the gradients that are left are everybody's. Rank 0 gets
        the whole batch."""
        ranks, n = self.ranks, self._rows(self.train, self.batch, x)
        places = [self._found(x[rows], y[rows], rows, n) for rows in self._parts(n) if rows.stop > rows.start]
        own = min(places, default=(math.inf, ""), key=lambda divergence: divergence[0])
        every = ranks.all(own)
        first, text = min(every, key=lambda divergence: divergence[0])
        whose = [rank for rank, (other, _) in enumerate(every) if other == first]
        who = "" if len(whose) == ranks.count else f", on rank {whose[0]} of {ranks.count}"
        where = f"at step {self.step + 1} (epoch {self.epoch}, learning rate {self.optimizer.current_rate:.4g})"
        counts = [_length(ranks.rows(n, rank)) for rank in range(ranks.count)]
        batch = ranks.gather(x, counts), ranks.gather(y, counts)
        return DivergedError(f"{what} {where}; {text}{who}", batch)

    def _found(self, x: Array, y: Array, rows: slice, n: int) -> tuple[float, str]:
        """Where in a part's own pass a number is not finite first: how far on the way, and in words."""
        network = self.network
        order = {node.name: index for index, node in enumerate(network.nodes)}
        divergences: list[tuple[float, str]] = []
        for way in (False, True):  # every rank goes both: layers may exchange something on the way
            self._tree.vector[...] = 0
            _, loss = self._one(self.train, x, y, rows, n, training=True, backward=way)
            layer, text = first_nonfinite(network)
            if layer is not None:
                divergences.append((order[layer] + len(order) * way, text))
            elif not np.isfinite(x).all():
                divergences.append((-1, text))
            else:
                divergences.append((math.inf if finite(loss) else len(order), text))
        return min(divergences, key=lambda divergence: divergence[0])

    def _measured(self) -> Row:
        self._compare_weights()
        if self.ranks.rank == 0:
            return self.ranks.first(super()._measured())
        if self.validation is not None:
            with self.optimizer.averaged():
                self._evaluated(self.validation)
        return dict(self.ranks.first({}))

    def _evaluated(self, split: Batches) -> dict[str, float]:
        kept, self.sums = self.sums, Sums(self.metrics)
        self.sums.reset()
        try:
            for batch, (x, y) in enumerate(split.epoch(0)):
                self._poll()
                self._pass(split, batch, x, y, training=False)
                self.sums.add_loss(self.network)
            return self.sums.result() if self.ranks.rank == 0 else {}
        finally:
            self.sums = kept

    def _compare_weights(self) -> None:
        """Raise RunError, on every rank, unless all have the same weights."""
        sums = self.ranks.all(crc32(self.network.store.values.data))
        other = next((rank for rank, checksum in enumerate(sums) if checksum != sums[0]), None)
        if other is not None:
            raise RunError(
                f"after step {self.step} rank {other} has other weights than rank 0; ranks need processors and "
                "libraries that compute the same bits: start them on machines of one kind"
            )


def _length(rows: slice) -> int:
    return int(rows.stop - rows.start)
