"""Reading rows of an array that may be a memory map far larger than memory."""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError

#: memory maps from this size on are read in blocks, and their pages dropped: pages of a file that
#: were touched count as memory of the process
LARGE_BYTES = 1 << 28
_WINDOW_BYTES = 1 << 25
_BLOCK_BYTES = 1 << 18


def _root(array: Array) -> tuple[Array, mmap.mmap] | None:
    """The array made right on a memory map that `array` is a view of, with that map."""
    base: Any = array
    while isinstance(base, np.ndarray):
        if isinstance(base.base, mmap.mmap):
            return base, base.base
        base = base.base
    return None


def is_large(array: Array) -> bool:
    """Whether the array lies in a memory map too large to be kept in memory."""
    root = _root(array)
    return root is not None and root[1].size() >= LARGE_BYTES


def release(array: Array) -> None:
    """Drop the pages of a large read-only map from this process; the page cache keeps them.

    Raises DataError if the file has become shorter than the map, whose end would then be a bus error.
    """
    root = _root(array)
    if root is None or not is_large(array) or root[0].flags.writeable:
        return
    if root[1].size() < len(root[1]):
        name = getattr(root[0], "filename", "a data file")
        raise DataError(f"{name}: shorter than when training began; it was changed while in use")
    if hasattr(mmap, "MADV_DONTNEED"):
        root[1].madvise(mmap.MADV_DONTNEED)


def announce(rows: Array) -> None:
    """Have the disk fetch these rows (n, …) of a large map, which will be read soon: it is five times as fast at large
    pieces as at what faults ask for."""
    root = _root(rows)
    if root is None or not is_large(rows) or not rows.size or not hasattr(mmap, "MADV_WILLNEED"):
        return
    start = rows.ctypes.data - root[0].ctypes.data + getattr(root[0], "offset", 0) % mmap.ALLOCATIONGRANULARITY
    end = start + rows.nbytes
    start -= start % mmap.PAGESIZE
    root[1].madvise(mmap.MADV_WILLNEED, start, end - start)


def moved(a: Array) -> Array:
    """A view (N, numbers of a row), int64 as float64: kernels that only move numbers take them so."""
    return (a.view(np.float64) if a.dtype == np.int64 else a).reshape(len(a), -1)


class Gather:
    """Copies rows of `source` (N, …) out by number: `gather(order, first, out)`, by the kernel `take` if one is given.

    Reading a large memory map in the order of `shuffled` keeps `window` rows of it in memory, while the disk
    fetches those of the window after it.
    """

    def __init__(self, source: Array, take: Callable[..., None] | None = None) -> None:
        self._source, self._map, self._take = np.asarray(source), source, take
        # np.take would copy the whole of an array that is not contiguous and aligned
        self._whole = self._source.flags.c_contiguous and self._source.flags.aligned
        self.large = is_large(source)
        self._at = 0  # the window that was read last
        row_bytes = max(1, self._source[:1].nbytes)
        self.block = max(1, _BLOCK_BYTES // row_bytes)
        self.window = max(1, _WINDOW_BYTES // row_bytes)
        self._ahead = _Ahead(source, self.block, self.window) if self.large else None

    @property
    def matrix(self) -> Array | None:
        """The rows as (N, numbers of a row), where they lie in memory one after the other."""
        return self._source.reshape(len(self._source), -1) if self._whole and not self.large else None

    def __call__(self, order: Array, first: int, out: Array) -> None:
        """Copy rows order[first], order[first + 1], …, as many as `out` (n, …) holds. Raises DataError as `release`."""
        last = first + len(out)
        rows = order[first:last]
        if self._ahead is not None:
            self._ahead(order, first, len(out))
        if self._take is not None and self._whole:
            self._take(moved(self._source), rows, moved(out))
        elif self._whole:
            self._source.take(rows, 0, out, "clip")
        else:
            out[...] = self._source[rows]
        if self.large and self._at != last // self.window:
            self._at = last // self.window
            release(self._map)

    def shuffled(self, rows: Array, rng: np.random.Generator) -> Array:
        """Ascending row numbers (n,) in random order; for a large map one that keeps to few of its pages.

        Blocks of 256 KiB are put in random order, and their rows are shuffled within windows of 32 MiB:
        the rows near to each other in the order come from 128 places of the file.
        """
        if not self.large:
            return rng.permutation(rows)
        starts = rng.permutation(-(-len(rows) // self.block)) * self.block
        order = (starts[:, None] + np.arange(self.block)).reshape(-1)
        order = order[order < len(rows)]
        for first in range(0, len(order), self.window):
            rng.shuffle(order[first : first + self.window])
        shuffled: Array = rows[order]
        return shuffled


class _Ahead:
    """Tells the disk which blocks of a mapped file will be read: while rows of one window are drawn, those of the
    next, a few with every batch, so that a file that is not in the page cache comes at the disk's full speed.

    Not by madvise(2): Python keeps all other threads waiting meanwhile.
    """

    def __init__(self, source: Array, block: int, window: int) -> None:
        self._block, self._window = block, window
        self._at = -2  # the window whose rows are being drawn
        self._coming: list[int] = []
        self._file: int | None = None
        root = _root(source)
        mapped = root[0] if root else None
        if not isinstance(mapped, np.memmap) or mapped.filename is None or not hasattr(os, "posix_fadvise"):
            return
        try:
            self._file = os.open(mapped.filename, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # the map is enough to read it
            return
        weakref.finalize(self, os.close, self._file)
        self._start = mapped.offset + source.ctypes.data - mapped.ctypes.data
        self._bytes = source.strides[0] * block

    def __call__(self, order: Array, first: int, count: int) -> None:
        """The rows order[first], …, `count` of them, are about to be read."""
        if self._file is None:
            return
        at = first // self._window
        if at != self._at:
            here = self._coming if at == self._at + 1 else self._blocks(order, at)
            self._ask(self._file, here)
            self._at, self._coming = at, self._blocks(order, at + 1)
        share = 1 + count // self._block
        self._ask(self._file, self._coming[:share])
        del self._coming[:share]

    def _blocks(self, order: Array, window: int) -> list[int]:
        """The blocks that the rows of a window lie in."""
        blocks: list[int] = np.unique(
            order[window * self._window : (window + 1) * self._window] // self._block
        ).tolist()
        return blocks

    def _ask(self, file: int, blocks: list[int]) -> None:
        for block in blocks:
            os.posix_fadvise(file, self._start + block * self._bytes, self._bytes, os.POSIX_FADV_WILLNEED)
