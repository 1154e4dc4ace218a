"""Finds NumPy's loops and copies of a step that go over as many numbers, one after the other: src/replay.c makes all of
them for a block of numbers, then for the next, on all threads.

What one leaves is still in the processor's cache when the next reads it. Each number depends only on those at its own
place, so the bits stay the same: an activation of several passes, or the rule of an optimizer without a kernel.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from backprop_cli.engine.replay.program import TOGETHER, CopyCall, Kind, NumpyLoop, Operation, Pass, Passes

LEAST = 1 << 13  # numbers: fewer stay in the cache as they are
ALONE = 1 << 15  # of a single loop that is worth several threads
WORD = 8  # bytes of a single number

#: what works on single numbers only, and may come before passes that it has nothing to do with
SINGLE = frozenset(range(Kind.ADD, Kind.EQUAL + 1)) | {Kind.WRITE_F32, Kind.WRITE_F64, Kind.WRITE_I64}


@dataclass(frozen=True)
class Place:
    """Where an operand's numbers are: `step` bytes apart, or all the same where it is 0."""

    start: int
    step: int
    end: int
    written: bool

    def apart(self, other: Place) -> bool:
        """Whether a block of one may be used before the block before it of the other, or its whole."""
        shared = self.start < other.end and other.start < self.end
        same = (self.start, self.step) == (other.start, other.step) and self.step > 0
        return not shared or same or not (self.written or other.written)


@dataclass
class Run:
    """Operations from `at` on that can be made block by block, and those that are to come before."""

    at: int
    size: int = 0
    before: list[Operation] = field(default_factory=list)
    passes: list[Operation] = field(default_factory=list)
    places: list[Place] = field(default_factory=list)

    def take(self, operation: Operation) -> bool:
        """Whether it can be part of this; then it is."""
        if self.passes and operation.kind in SINGLE:
            cells = [Place(at, 0, at + WORD, at == operation.out) for at in _pointers(operation)]
            free = all(cell.apart(place) for cell in cells for place in self.places)
            self.before += [operation] if free else []
            return free
        size, places = _places(operation)
        if size < LEAST or (self.passes and size != self.size) or len(self.passes) == TOGETHER:
            return False
        if not all(place.apart(other) for place in places for other in self.places):
            return False
        self.size = size
        self.passes.append(operation)
        self.places += places
        return True


def _pointers(operation: Operation) -> list[int]:
    return [at for at in (operation.out, operation.a, operation.b) if at]


def _places(operation: Operation) -> tuple[int, list[Place]]:
    """How many numbers it goes over in one line, and where; 0 where it does anything else."""
    if operation.kind == Kind.LOOP:
        loop = NumpyLoop.from_address(operation.a)
        count = loop.operands
        if loop.axes or loop.dims[1]:  # a product has more sizes
            return 0, []
        size, at, steps = loop.dims[0], loop.at[:count], loop.steps[:count]
    elif operation.kind == Kind.COPY:
        copy = CopyCall.from_address(operation.a)
        size, at, steps, count = copy.shape[0], [copy.source, copy.to], [copy.from_step[0], copy.to_step[0]], 2
        if copy.axes != 1:
            return 0, []
    else:
        return 0, []
    places = [
        Place(start, step, start + max(size * step, WORD), number == count - 1)
        for number, (start, step) in enumerate(zip(at, steps, strict=True))
    ]
    if min(steps) < 0 or steps[-1] == 0:  # the last one is written: a sum goes on in one place
        return 0, []
    return size, places


def join(operations: Sequence[Operation], cuts: Collection[int]) -> tuple[list[Operation], list[Any]]:
    """The same operations, where some became one; others that only make numbers for them come before it. And what they
    point to. Nothing is moved over one of the places `cuts`."""
    joined, keep = list(operations), list[Any]()
    for run in _runs(operations, cuts):
        if len(run.passes) == 1 and (run.size < ALONE or run.passes[0].kind == Kind.COPY):
            continue
        passes = Passes(len(run.passes), run.size)
        for number, operation in enumerate(run.passes):
            passes.passes[number] = Pass(operation.kind, operation.a)
        keep.append(passes)
        rest = [Operation(Kind.NOTHING)] * (len(run.passes) - 1)
        one = Operation(Kind.PASSES, None, ctypes.addressof(passes), None)
        joined[run.at : run.at + len(run.before) + len(run.passes)] = [*run.before, one, *rest]
    return joined, keep


def _runs(operations: Sequence[Operation], cuts: Collection[int]) -> Iterator[Run]:
    run = Run(0)
    for at, operation in enumerate(operations):
        if at in cuts or not run.take(operation):
            if run.passes:
                yield run
            run = Run(at)
            if not run.take(operation):
                run = Run(at + 1)
    if run.passes:
        yield run
