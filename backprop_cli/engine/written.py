"""Checks that layers write everything they must: y, dx and the gradients of their parameters.

A layer that computes `y = f(x)` makes an array of its own; the network goes on with what y held before, and trains on
that. So everything is filled with one particular NaN, and what still holds it afterwards was never written. NaN that
arithmetic makes has other bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network

MARKS: dict[np.dtype[Any], Any] = {
    np.dtype(np.float32): np.uint32(0x7FC5A3B1),
    np.dtype(np.float64): np.uint64(0x7FF85A3B1C2D4E5F),
}


def unwritten(network: Network, x: Array, target: Array, *, training: bool = True) -> str | None:
    """The first thing that a layer does not write in a forward and a backward pass, in words; None if there is none.
    Random numbers and running statistics are put back."""
    random, state = network.rng.bit_generator.state, network.store.state.copy()
    try:
        with network.store.written_whole():
            return next(_missing(network, x, target, training), None)
    finally:
        network.rng.bit_generator.state = random
        network.store.state[...] = state


def _missing(network: Network, x: Array, target: Array, training: bool) -> Iterator[str]:
    bound = network.bind(len(x))
    np.copyto(bound.input, x, casting="same_kind")
    names = {id(node.layer): f"{node.name} ({node.layer.type_name})" for node in network.nodes}
    for run, source, y in bound.forward:
        if y.dtype not in MARKS:  # a mask
            run(source, y, training)
            continue
        fresh = _mark(np.empty_like(y))
        run(source, fresh, training)
        if _marked(fresh):
            yield (
                f"{names[id(_owner(run))]}: y was never written{_part(fresh)}; forward has to write into y, as in "
                "y[...] = … or out=y, and `y = …` does not"
            )
        np.copyto(y, fresh)
    if network.head is not None:
        network.head.forward(bound.z, bound.output, training)
    network.loss(bound.output, target)
    for gradient in network.gradients.values():
        _mark(gradient)
    _mark(bound.dz)
    network.start_backward()
    if _marked(bound.dz):
        loss = network.loss_function
        yield f"{loss and loss.type_name}: dz was never written{_part(bound.dz)}; backward has to write into dz"
    for run, source, y, dy, dx, sums in bound.backward:
        asked: list[Array | None] = dx if isinstance(dx, list) else [dx]
        fresh_dx = [None if gradient is None else _mark(np.empty_like(gradient)) for gradient in asked]
        run(source, y, dy, fresh_dx if isinstance(dx, list) else fresh_dx[0])
        for own, new in zip(asked, fresh_dx, strict=True):
            if own is not None and new is not None:
                if _marked(new):
                    yield (
                        f"{names[id(_owner(run))]}: dx was never written{_part(new)}; backward has to write into dx, "
                        "unless it is None"
                    )
                np.copyto(own, new)
        for part, total in sums:
            np.add(total, part, out=total)
    for name, gradient in network.gradients.items():
        if not network.store.entries[name].frozen and _marked(gradient):
            owner, _, parameter = name.rpartition(".")
            yield (
                f"{owner}: d{parameter} was never written{_part(gradient)}; backward has to write into "
                f"self.d{parameter}, as in self.d{parameter}[...] = …"
            )


def _owner(run: Any) -> Any:
    return run.__self__


def _mark(array: Array) -> Array:
    array.view(MARKS[array.dtype].dtype)[...] = MARKS[array.dtype]
    return array


def _left(array: Array) -> Array:
    return np.asarray(array.view(MARKS[array.dtype].dtype) == MARKS[array.dtype])


def _marked(array: Array) -> bool:
    return bool(_left(array).any())


def _part(array: Array) -> str:
    """Says so where only some of the numbers are missing."""
    left = _left(array)
    return "" if left.all() else f" at {int(left.sum())} of its {left.size} places"
