"""The list of operations that src/replay.c runs again and again, and the memory it lies in."""

from __future__ import annotations

import ctypes
import operator
from collections.abc import Sequence
from enum import IntEnum, auto
from functools import cache
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.kernels import compiled

AXES, OPERANDS, CORE = 6, 4, 8  # as in src/replay.c, like all below
LINKS = 8  # kernels of a chain at most, as in src/chain.c
TOGETHER = 16  # passes that are made block by block at most


class Kind(IntEnum):
    """What an operation does; the order is that of src/replay.c."""

    KERNEL = 0
    LOOP = auto()
    COPY = auto()
    DRAW = auto()
    FEED = auto()
    NEXT = auto()
    ADD = auto()
    SUBTRACT = auto()
    MULTIPLY = auto()
    DIVIDE = auto()
    POWER = auto()
    NEGATE = auto()
    LESS = auto()
    LESS_EQUAL = auto()
    EQUAL = auto()
    READ_F32 = auto()
    READ_F64 = auto()
    READ_I64 = auto()
    READ_U64 = auto()
    READ_BOOL = auto()
    WRITE_F32 = auto()
    WRITE_F64 = auto()
    WRITE_I64 = auto()
    IF = auto()
    UNLESS = auto()
    CHAIN = auto()
    NOTHING = auto()
    PASSES = auto()


class Operation(ctypes.Structure):
    """One operation of a program: its kind, and the addresses of its result and two operands, null where unused."""

    _fields_ = [("kind", ctypes.c_int64), ("out", ctypes.c_void_p), ("a", ctypes.c_void_p), ("b", ctypes.c_void_p)]


class NumpyLoop(ctypes.Structure):
    """An inner loop of NumPy over some outer axes."""

    _fields_ = [
        ("function", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("operands", ctypes.c_int64),
        ("axes", ctypes.c_int64),
        ("shape", ctypes.c_int64 * AXES),
        ("dims", ctypes.c_ssize_t * CORE),
        ("steps", ctypes.c_ssize_t * (2 * CORE)),
        ("at", ctypes.c_void_p * OPERANDS),
        ("jump", ctypes.c_int64 * AXES * OPERANDS),
    ]


class CopyCall(ctypes.Structure):
    """Numbers of one array to another, in another type if need be."""

    _fields_ = [
        ("to", ctypes.c_void_p),
        ("source", ctypes.c_void_p),
        ("kind", ctypes.c_int64),
        ("axes", ctypes.c_int64),
        ("shape", ctypes.c_int64 * AXES),
        ("to_step", ctypes.c_int64 * AXES),
        ("from_step", ctypes.c_int64 * AXES),
    ]


class Draw(ctypes.Structure):
    """Random numbers from 0 to 1 of a bit generator of NumPy's."""

    _fields_ = [
        ("state", ctypes.c_void_p),
        ("next_32", ctypes.c_void_p),
        ("next_double", ctypes.c_void_p),
        ("to", ctypes.c_void_p),
        ("count", ctypes.c_int64),
        ("wide", ctypes.c_int64),
    ]


class FeedCall(ctypes.Structure):
    """Rows of an epoch's order to where the batch reads them."""

    _fields_ = [
        ("order", ctypes.c_void_p),
        ("at", ctypes.c_int64),
        ("end", ctypes.c_int64),
        ("batch", ctypes.c_int64),
        ("rows", ctypes.c_void_p),
        ("coming", ctypes.c_void_p),
    ]


class StreamCall(ctypes.Structure):
    """One number for each step."""

    _fields_ = [("next", ctypes.c_void_p)]


class Total(ctypes.Structure):
    """Numbers that are added up over an epoch."""

    _fields_ = [("at", ctypes.c_void_p), ("count", ctypes.c_int64)]


class Chain(ctypes.Structure):
    """Kernels that follow each other on every image; see src/chain.c."""

    _fields_ = [
        ("count", ctypes.c_int64),
        ("images", ctypes.c_int64),
        ("block", ctypes.c_int64),
        ("calls", ctypes.c_void_p * LINKS),
        ("links", ctypes.c_void_p * LINKS),
    ]


class Pass(ctypes.Structure):
    """A NumpyLoop or a CopyCall."""

    _fields_ = [("kind", ctypes.c_int64), ("what", ctypes.c_void_p)]


class Passes(ctypes.Structure):
    """Loops and copies over as many numbers, block by block."""

    _fields_ = [("count", ctypes.c_int64), ("size", ctypes.c_int64), ("passes", Pass * TOGETHER)]


@cache
def library() -> ctypes.CDLL:
    """The library of kernels, with what replaying needs."""
    lib = compiled.library()
    lib.bp_replay.argtypes = [*[ctypes.c_void_p], *[ctypes.c_int64] * 4, ctypes.c_void_p]
    lib.bp_replay_epochs.argtypes = [
        ctypes.c_void_p,
        *[ctypes.c_int64] * 4,
        ctypes.c_void_p,
        ctypes.c_int64,
        *[ctypes.c_void_p] * 2,
    ]
    lib.bp_replay.restype = lib.bp_replay_epochs.restype = ctypes.c_int64
    for function in (lib.bp_record, lib.bp_run):
        function.argtypes, function.restype = [ctypes.c_void_p], None
    lib.bp_link.argtypes, lib.bp_link.restype = [ctypes.c_void_p, ctypes.c_void_p], ctypes.c_int64
    for function in (lib.bp_call_size, lib.bp_call_numbers):
        function.restype = ctypes.c_int64
    return lib


class Program:
    """Operations in order. `keep` holds what they point to."""

    def __init__(self, operations: Sequence[Operation], keep: Sequence[Any]) -> None:
        self._array = (Operation * len(operations))(*operations)
        self._keep = list(keep)
        self._made = ctypes.c_int64()
        self._run = library().bp_replay
        self._where = ctypes.addressof(self._array), ctypes.byref(self._made)
        self._totals: tuple[list[Array], Any] = ([], None)

    def __len__(self) -> int:
        return len(self._array)

    def run(self, first: int, last: int, steps: int = 1, patience: float = 0.0) -> tuple[int, int]:
        """Make the operations first … last − 1, and where there are several steps 0 … last − 1 again, until `patience`
        seconds have passed. Returns the number of whole steps, and of the operation that did not let the next one
        go on, or `last`."""
        array, done = self._where
        stopped = self._run(array, last, first, steps, int(1e6 * patience), done)
        return self._made.value, int(stopped)

    def run_epochs(self, steps: int, epochs: int, patience: float, totals: Sequence[Array]) -> tuple[Array, bool]:
        """Make up to so many epochs of so many steps, until `patience` seconds have passed. Returns a row for each
        whole epoch, its totals and the seconds until its end, and whether a step did not go on: that epoch is then made
        in part. The totals are 0 after each epoch."""
        rows = np.empty((epochs, sum(total.size for total in totals) + 1))
        known, parts = self._totals
        if len(known) != len(totals) or any(map(operator.is_not, known, totals)):
            parts = (Total * len(totals))(*(Total(address(total), total.size) for total in totals))
            self._totals = list(totals), parts
        whole = library().bp_replay_epochs(
            *(self._where[0], len(self), steps, epochs, int(1e6 * patience)),
            *(parts, len(parts), address(rows), self._where[1]),
        )
        rows[:, -1] /= 1e6
        return rows[:whole], bool(self._made.value)


def address(array: Array) -> int:
    """The address in memory of the first number of an array."""
    return int(array.ctypes.data)


def cell(value: float = 0.0, dtype: Any = np.float64) -> Array:
    """Memory of one number."""
    return np.full(1, value, dtype)
