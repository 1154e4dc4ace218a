"""Processes that train one network together, as one of them sees the others: a rank, as MPI calls it.

The engine, the loop and the commands ask nothing but this class. Here it is the form of a process that trains alone;
training/parallel/mpi.py has the form over MPI.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np

from backprop_cli.engine.arrays import Array

T = TypeVar("T")


class Ranks:
    """This process alone: each answer is its own. `rank` counts from 0; rank 0 writes the run.

    A batch of n rows is cut into `parts` parts that follow each other: one a rank, or a fixed number of shards,
    of which a rank has several. `batch` is the batch that is being worked on: (n, the rows that a pass takes).
    """

    rank = 0
    count = 1

    def __init__(self, shards: int | None = None) -> None:
        self.shards = shards
        self.batch = (0, slice(0, 0))

    @property
    def parts(self) -> int:
        """Into how many parts a batch is cut."""
        return self.shards or self.count

    @property
    def shared(self) -> bool:
        """Whether a step is more than one pass of one process."""
        return self.parts > 1

    def own(self, n: int, rank: int | None = None) -> list[slice]:
        """The parts of a batch of n rows that are this rank's, or another's. The first ones have a row more where they
        differ, so that rank 0 always has one."""
        per_rank = self.parts // self.count
        first = per_rank * (self.rank if rank is None else rank)
        ends = [-(-part * n // self.parts) for part in range(first, first + per_rank + 1)]
        return [slice(a, b) for a, b in pairwise(ends)]

    def rows(self, n: int, rank: int | None = None) -> slice:
        """All rows of a batch of n that are this rank's, or another's."""
        parts = self.own(n, rank)
        return slice(parts[0].start, parts[-1].stop)

    def table(self, numbers: Array) -> Array:
        """(count, K): the K numbers of every rank."""
        return numbers[None]

    def add(self, vector: Array) -> None:
        """Put the sum over all ranks in the place of a vector: the same bits on each."""

    def gather(self, rows: Array, counts: Sequence[int]) -> Array:
        """At rank 0 the rows of all ranks, in their order; elsewhere this rank's. `counts`: how many each has."""
        return rows

    def all(self, value: T) -> list[T]:
        """What every rank has given."""
        return [value]

    def first(self, value: T) -> T:
        """What rank 0 has given."""
        return value

    def together(self, work: Callable[[], T]) -> T:
        """What `work` returns. An error that it raises on one rank is raised on all, and says which one it was."""
        return work()

    def name(self) -> str:
        """Which rank this is, in words."""
        return f"rank {self.rank} of {self.count}"

    @property
    def threads(self) -> int | None:
        """How many threads are this rank's share of its machine; None for all."""
        return None

    def leave(self) -> None:
        """Nothing more is to be said to the others."""

    def abort(self, code: int) -> None:
        """End all ranks now."""


ALONE = Ranks()


class Drawn:
    """A generator of which every rank draws for the whole batch and takes the rows that are its own, so that numbers
    do not depend on how many ranks there are. What is not drawn for each row is the same on all."""

    def __init__(self, rng: np.random.Generator, ranks: Ranks) -> None:
        self._rng, self._ranks = rng, ranks
        self._memory: dict[tuple[Any, ...], Array] = {}

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._rng, name)
        if not callable(method):
            return method

        def draw(*arguments: Any, size: Any = None, out: Array | None = None, **options: Any) -> Any:
            whole, rows = self._ranks.batch
            shape = out.shape if out is not None else (size,) if isinstance(size, int) else tuple(size or ())
            if not shape or shape[0] != rows.stop - rows.start:
                given = {"size": size} if out is None else {"out": out}
                return method(*arguments, **given, **options)
            shape = (whole, *shape[1:])
            if out is None:
                return method(*arguments, size=shape, **options)[rows]
            key = (shape, out.dtype)
            if key not in self._memory:
                self._memory = {key: a for key, a in self._memory.items() if key[0][1:] != shape[1:]}
                self._memory[key] = np.empty(shape, out.dtype)
            method(*arguments, out=self._memory[key], **options)
            np.copyto(out, self._memory[key][rows])
            return out

        return draw
