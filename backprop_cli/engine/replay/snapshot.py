"""What a training's steps change for good, kept to come back to; and whether two steps left the same."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.replay.stages import Training

SMALL = 1 << 16  # bytes that are kept as they are
ROW = 1024  # numbers of 8 bytes


def snapshot(training: Training) -> Callable[[], None]:
    """Copy it; the function that is returned brings all of it back, as often as it is called."""
    optimizer, random = training.optimizer, training.network.rng.bit_generator
    store, totals = training.network.store, [metric.totals for metric in training.metrics]
    kept = [store.values, store.state, *optimizer.memory.values(), *training.sums.arrays().values()]
    before, counters, drawn = [array.copy() for array in kept], dict(vars(optimizer)), random.state
    position = training.epoch, training.batch, training.step, training.rate

    def restore() -> None:
        for array, copy in zip(kept, before, strict=True):
            array[...] = copy
        for metric, own in zip(training.metrics, totals, strict=True):
            metric.totals = own
        vars(optimizer).update(counters)
        random.state = drawn
        training.epoch, training.batch, training.step, training.rate = position

    return restore


def digest(array: Array) -> tuple[bytes, ...]:
    """Equal for two arrays of one shape that are equal to the last bit: the bytes of a small one; of a large one, read
    as a table of numbers, the sums of all rows and of all columns, which any single change and any exchange of unequal
    parts alters. Copies of all outputs would take as much memory as the network, and much longer than its steps."""
    flat = np.ascontiguousarray(array).reshape(-1).view(np.uint8)
    if flat.nbytes <= SMALL:
        return (flat.tobytes(),)
    whole = flat.nbytes // (8 * ROW) * (8 * ROW)
    table = flat[:whole].view(np.uint64).reshape(-1, ROW)
    sums = (table.sum(axis, dtype=np.uint64) for axis in (0, 1))
    return (*(part.tobytes() for part in sums), flat[whole:].tobytes())
