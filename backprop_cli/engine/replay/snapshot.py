"""What a training's steps change for good, kept to come back to."""

from __future__ import annotations

from collections.abc import Callable

from backprop_cli.engine.replay.stages import Training


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


def kept_bytes(training: Training) -> int:
    """How much is copied."""
    store = training.network.store
    return (
        store.values.nbytes + store.state.nbytes + sum(vector.nbytes for vector in training.optimizer.memory.values())
    )
