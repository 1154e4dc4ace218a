"""Ranks that talk by MPI. Importing this needs mpi4py."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from mpi4py import MPI

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.ranks import Ranks
from backprop_cli.errors import BpError

T = TypeVar("T")


class MpiRanks(Ranks):
    """All processes that mpiexec has started. Every method but `name` and `abort` has to be called by all of them."""

    def __init__(self, shards: int | None = None) -> None:
        super().__init__(shards)
        self._comm = MPI.COMM_WORLD
        self.rank, self.count = self._comm.rank, self._comm.size
        self._other = np.zeros(0)

    def table(self, numbers: Array) -> Array:
        gathered = np.empty((self.count, len(numbers)), numbers.dtype)
        self._comm.Allgather(numbers, gathered)
        return gathered

    def add(self, vector: Array) -> None:
        if self.shards is None:
            self._comm.Allreduce(MPI.IN_PLACE, vector)
            return
        if self._other.shape != vector.shape or self._other.dtype != vector.dtype:
            self._other = np.empty_like(vector)
        distance = 1  # recursive doubling: the upper levels of the tree, each sum made by both sides
        while distance < self.count:
            self._comm.Sendrecv(vector, self.rank ^ distance, recvbuf=self._other, source=self.rank ^ distance)
            np.add(vector, self._other, out=vector)
            distance *= 2

    def gather(self, rows: Array, counts: Sequence[int]) -> Array:
        rows = np.ascontiguousarray(rows)
        whole = np.empty((sum(counts), *rows.shape[1:]), rows.dtype) if self.rank == 0 else rows
        row_bytes = rows.itemsize * int(np.prod(rows.shape[1:], dtype=int))
        into = [whole.view(np.uint8), [n * row_bytes for n in counts]] if self.rank == 0 else None
        self._comm.Gatherv(rows.reshape(-1).view(np.uint8), into)
        return whole

    def all(self, value: T) -> list[T]:
        return list(self._comm.allgather(value))

    def first(self, value: T) -> T:
        received: T = self._comm.bcast(value)
        return received

    def together(self, work: Callable[[], T]) -> T:
        error: BpError | None = None
        try:
            result = work()
        except BpError as caught:
            error = caught
        raised = self.all(error and (type(error), str(error), error.exit_code, self.name()))
        rank = next((rank for rank, error in enumerate(raised) if error), None)
        if rank is None:
            return result
        kind, text, code, name = raised[rank] or (BpError, "", 1, "")
        if error is None or self.rank != rank or rank:
            error = kind.__new__(kind)
            error.args = (text if rank == 0 else f"{name}: {text}",)
            error.exit_code = code
        error.everywhere = True
        raise error

    def name(self) -> str:
        return f"rank {self.rank} of {self.count} on {platform.node()}"

    @property
    def threads(self) -> int | None:
        near = self._comm.Split_type(MPI.COMM_TYPE_SHARED)
        mine = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set(range(os.cpu_count() or 1))
        theirs: set[int] = set().union(*near.allgather(mine))
        return max(1, len(theirs) // int(near.size))

    def leave(self) -> None:
        MPI.Finalize()

    def abort(self, code: int) -> None:
        self._comm.Abort(code)
