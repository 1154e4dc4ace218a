"""Batches of a split, in an order and with an augmentation that depend on nothing but seed and epoch.

The ways in which they are made are in one file because all must give out the same rows.
"""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.balanced import class_members, draw
from backprop_cli.data.dataset import Split
from backprop_cli.data.feed import Feed
from backprop_cli.data.gather import LARGE_BYTES, Gather
from backprop_cli.data.pipeline import Pipeline, in_network_type, outside_training
from backprop_cli.data.transform import Transform
from backprop_cli.data.transforms.scale import Scale
from backprop_cli.errors import DataError
from backprop_cli.seeds import generator

#: raw bytes of a batch from which preparing it in a thread pays: a hand-over costs some 20 µs,
#: as much as gathering and scaling 100 KB
_THREAD_BYTES = 1 << 18
Into = Callable[[int], Array]


class Batches:
    """The batches of one split: `for x, y in batches.epoch(3): …`.

    The order of an epoch is a pure function of (seed, epoch), augmentation of (seed, epoch, batch):
    `epoch(e, start=k)` gives the very batches that `epoch(e)` gives from the k-th on.

    x: floats, uint8 and bool become `dtype`; wider integers are token ids and stay integers
    (int64), unless a transform makes them floats. y: integers (class ids, ids per step) become
    int64, floats `dtype`.

    Files too large for memory are shuffled in blocks: see `Gather.shuffled`.

    Arrays given out are buffers: they hold until the next batch is asked for. `weight` is how much each row of the
    batch given out last counts in the loss; None where all count alike.

    `balanced` draws the same number of rows of every class in each epoch: large classes are
    sampled without repetition, small ones repeated whole before any row is drawn once more.
    `prefetch` prepares the next batch in a thread where that is heavy work (augmentation, large
    batches, files larger than memory); the batches are the same either way.

    `kernels` are those of the network; bytes in memory that are only scaled go through `gather_scaled`, rows that
    no transform touches through a compiled `gather`, which keeps all processors busy itself. Both write straight
    into the array that `into(n)` gives, where it is given.

    `part(n)` says which rows of a batch of n are given out, where processes share it; no others are read, unless
    they are augmented: that is drawn for the whole batch.

    Raises DataError for an empty split, one with fewer rows than a batch under `drop_last`, and
    for `balanced` without class ids.
    """

    def __init__(
        self,
        split: Split,
        batch_size: int,
        *,
        transforms: Sequence[Transform] = (),
        seed: int = 0,
        shuffle: bool = True,
        drop_last: bool = False,
        dtype: npt.DTypeLike = np.float32,
        balanced: bool = False,
        augment: bool = True,
        prefetch: bool = True,
        kernels: SimpleNamespace | None = None,
        into: Into | None = None,
        part: Callable[[int], slice] | None = None,
    ) -> None:
        if len(split) == 0:
            raise DataError("a split without rows; expected at least 1, check `dataset.splits`")
        self.seed, self.shuffle, self.drop_last = seed, shuffle, drop_last
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.transforms = list(transforms) if augment else outside_training(transforms)
        if not self.transforms:
            split = replace(split, x=in_network_type(split.x, self.dtype))
        self.split = split
        self.weight: Array | None = None
        self._weights = None if split.weight is None else split.weight.astype(self.dtype)
        mixing = next((transform.type_name for transform in self.transforms if transform.mixes), None)
        if mixing and self._weights is not None:
            raise DataError(
                f"{mixing} mixes pairs of rows, and dataset.sample_weight weighs single rows; leave one out"
            )
        self._members = class_members(split.y) if balanced else None
        self.samples = self._draws()
        self.batch_size = min(batch_size, self.samples)
        if drop_last and self.samples < batch_size:
            raise DataError(
                f"{self.samples} rows are fewer than one batch of {batch_size}, and drop_last leaves nothing; "
                "lower trainer.batch_size"
            )
        self.steps_per_epoch = self.samples // self.batch_size if drop_last else -(-self.samples // self.batch_size)
        slot = self._slot()
        self.input_shape: Shape = slot.x.shape[1:]
        self.input_dtype: np.dtype[Any] = slot.x.dtype
        untouched = slot.x is slot.raw
        take = kernels.gather if untouched and kernels is not None and kernels.which == "compiled" else None
        self._x = Gather(split.x, take)
        self._y_dtype = np.dtype(np.int64) if split.y.dtype.kind in "iub" else self.dtype
        self._targets = split.y
        if split.y.size * self._y_dtype.itemsize < LARGE_BYTES:
            self._targets = np.ascontiguousarray(split.y, self._y_dtype)
        self._y = Gather(self._targets)
        self._random = augment and any(transform.augments for transform in self.transforms)
        self._kernels, self._into, self._part = kernels, into, part
        self._bytes = self._x.matrix if split.x.dtype == np.uint8 and self._only_scaled() else None
        self._direct = into if untouched else None
        self.target_shape, self.target_dtype = self._target_spec()
        heavy = self._random or self._x.large or slot.raw.nbytes >= _THREAD_BYTES
        heavy = heavy and take is None and (kernels is None or self._bytes is None)
        self.threaded = prefetch and heavy and self.steps_per_epoch > 1 and (os.cpu_count() or 1) > 1

    @property
    def feed(self) -> Feed | None:
        """How kernels alone make these batches; None where transforms, weights, threads or a large file have a part."""
        source, scaled = self._x.matrix, self._bytes is not None
        if self._part is not None or self._y.large:
            return None
        if source is None or self._into is None or not (scaled or self._direct) or self.threaded:
            return None
        targets, asked = self._targets, (self.target_shape, self.target_dtype)
        if (targets.shape[1:], targets.dtype) != asked or self._weights is not None or not targets.flags.c_contiguous:
            return None
        scale: Any = self.transforms[0] if scaled else None
        return Feed(source, targets, (float(scale.by), float(scale.offset)) if scaled else None, self.order)

    def _draws(self) -> int:
        if self._members is None:
            return len(self.split)
        return max(1, len(self.split) // len(self._members)) * len(self._members)

    def _slot(self) -> Pipeline:
        x = self.split.x
        return Pipeline(self.transforms, x.shape[1:], x.dtype, self.dtype, self.batch_size)

    def _target_spec(self) -> tuple[Shape, np.dtype[Any]]:
        shape, dtype = tuple(self.split.y.shape[1:]), self._y_dtype
        for transform in self.transforms:
            shape, dtype = transform.output_target(shape, dtype, self.dtype)
        return shape, dtype

    @property
    def reorders(self) -> bool:
        """Whether `order` differs from epoch to epoch."""
        return self.shuffle or self._members is not None

    def order(self, epoch: int) -> Array:
        """The row numbers of one epoch, int64 (samples,), in the order they are drawn."""
        if not self.reorders:
            return np.arange(self.samples)  # a generator costs as much as a step of a small network
        rng = generator(self.seed, "shuffle", epoch)
        if self._members is not None:
            per_class = self.samples // len(self._members)
            rows = np.sort(np.concatenate([draw(members, per_class, rng) for members in self._members]))
        else:
            rows = np.arange(self.samples)
        return self._x.shuffled(rows, rng) if self.shuffle else rows

    def epoch(self, epoch: int, start: int = 0) -> Iterator[tuple[Array, Array]]:
        """Batches `start`, `start + 1`, … of an epoch: x (n, *input_shape), y (n, *target_shape). Raises DataError."""
        steps = range(start, self.steps_per_epoch)
        if self._bytes is not None and self._kernels is not None:
            gathered = self._gathered(epoch, steps, self._bytes, self._kernels.gather_scaled)
        else:
            gathered = self._in_thread(epoch, steps) if self.threaded else self._in_place(epoch, steps)
        return gathered if self._weights is None else self._weighed(gathered, epoch, steps, self._weights)

    def _weighed(
        self, batches: Iterator[tuple[Array, Array]], epoch: int, steps: range, weights: Array
    ) -> Iterator[tuple[Array, Array]]:
        order = self.order(epoch)
        for step, (x, y) in zip(steps, batches, strict=True):
            self.weight = weights[order[self._rows(step)]]
            yield x, y

    def _rows(self, step: int) -> slice:
        """Where in an epoch's order the rows of a batch are that are given out."""
        first = step * self.batch_size
        n = min(self.batch_size, self.samples - first)
        part = slice(0, n) if self._part is None else self._part(n)
        return slice(first + part.start, first + part.stop)

    def _only_scaled(self) -> bool:
        return len(self.transforms) == 1 and isinstance(self.transforms[0], Scale)

    def _gathered(
        self, epoch: int, steps: range, source: Array, gather: Callable[..., None]
    ) -> Iterator[tuple[Array, Array]]:
        scale: Any = self.transforms[0]
        order, slot, targets = self.order(epoch), self._slot(), self._target_buffer()
        raw = slot.raw.reshape(self.batch_size, -1)
        at = self._rows(steps.start)
        for step in steps:
            after = self._rows(step + 1) if step + 1 < self.steps_per_epoch else slice(0)
            rows, coming = order[at], order[after]
            n = len(rows)
            x = slot.x[:n] if self._into is None else self._into(n)
            y = targets if n == self.batch_size else targets[:n]
            gather(source, rows, coming, scale.by, scale.offset, raw[:n], x.reshape(n, raw.shape[1]))
            self._y(order, at.start, y)
            yield x, y
            at = after

    def _in_place(self, epoch: int, steps: range) -> Iterator[tuple[Array, Array]]:
        slot, y, order = self._slot(), self._target_buffer(), self.order(epoch)
        for step in steps:
            yield self._fill(slot, y, order, epoch, step, self._direct)

    def _in_thread(self, epoch: int, steps: range) -> Iterator[tuple[Array, Array]]:
        """Two slots go round: one is being filled while the other one is in use."""
        free: queue.SimpleQueue[tuple[Pipeline, Array] | None] = queue.SimpleQueue()
        ready: queue.SimpleQueue[tuple[tuple[Pipeline, Array], tuple[Array, Array]] | BaseException]
        ready = queue.SimpleQueue()

        def work() -> None:
            try:
                order = self.order(epoch)
                for step in steps:
                    slot = free.get()
                    if slot is None:
                        return
                    ready.put((slot, self._fill(*slot, order, epoch, step)))
            except BaseException as error:  # raised again where the batch is asked for
                ready.put(error)

        for _ in range(2):
            free.put((self._slot(), self._target_buffer()))
        worker = threading.Thread(target=work, name="bp-batches", daemon=True)
        worker.start()
        try:
            for _ in steps:
                filled = ready.get()
                if isinstance(filled, BaseException):
                    raise filled
                slot, batch = filled
                yield batch
                free.put(slot)
        finally:
            free.put(None)
            worker.join()

    def _target_buffer(self) -> Array:
        return np.empty((self.batch_size, *self._targets.shape[1:]), self._targets.dtype)

    def _fill(
        self, slot: Pipeline, targets: Array, order: Array, epoch: int, step: int, direct: Into | None = None
    ) -> tuple[Array, Array]:
        at = self._rows(step)
        first = step * self.batch_size if self._random else at.start
        n = min(self.batch_size, self.samples - first) if self._random else at.stop - first
        raw, y = (slot.raw, targets) if n == self.batch_size else (slot.raw[:n], targets[:n])
        x = raw if direct is None else direct(n)
        self._x(order, first, x)
        self._y(order, first, y)
        y = y.astype(self._y_dtype, copy=False)
        if direct is not None:
            return x, y
        rng = generator(self.seed, "augment", epoch, step) if self._random else None
        x, y = slot(n, y, rng)
        if self._random and self._part is not None:
            own = slice(at.start - first, at.stop - first)
            return x[own], y[own]
        return x, y
