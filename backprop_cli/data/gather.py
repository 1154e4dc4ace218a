"""Reading rows of an array that may be a memory map far larger than memory."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.errors import DataError

Array = npt.NDArray[Any]

#: memory maps from this size on are read from their file: pages touched through a map count as the
#: process's memory, and dropping them again costs more than reading into a buffer
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
    """Drop the pages of a large read-only map from this process; the page cache keeps them."""
    root = _root(array)
    if root and is_large(array) and not root[0].flags.writeable and hasattr(mmap, "MADV_DONTNEED"):
        root[1].madvise(mmap.MADV_DONTNEED)


class Rows:
    """Rows of `source` (N, …), copied out by index or as a run. Raises DataError when a file was cut short."""

    def __init__(self, source: Array) -> None:
        self._source = np.asarray(source)
        # np.take would copy the whole of an array that is not contiguous and aligned
        self._whole = self._source.flags.c_contiguous and self._source.flags.aligned
        self._map = source
        self.large = is_large(source)
        self.row_bytes = max(1, self._source[:1].nbytes)
        self._file = self._open() if self.large and self._whole and hasattr(os, "preadv") else -1

    def __len__(self) -> int:
        return len(self._source)

    def _open(self) -> int:
        """The mapped file, opened for reading; -1 where it has moved since, and the map must do."""
        root, mapping = _root(self._map) or (None, None)
        self._path = getattr(root, "filename", None)
        if root is None or mapping is None or self._path is None:
            return -1
        try:
            file = os.open(self._path, os.O_RDONLY)
        except OSError:
            return -1
        if os.fstat(file).st_size != mapping.size():
            os.close(file)
            return -1
        self._offset: int = root.offset + self._source.ctypes.data - root.ctypes.data  # type: ignore[attr-defined]  # np.memmap's
        return file

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def take(self, indices: Array, out: Array) -> None:
        """Copy the rows of these numbers."""
        if self._whole:
            self._source.take(indices, 0, out, "clip")
        else:
            out[...] = self._source[indices]

    def run(self, start: int, out: Array) -> None:
        """Copy the len(out) rows from `start` on."""
        if self._file < 0:
            np.copyto(out, self._source[start : start + len(out)])
            if self.large:
                release(self._map)
        elif os.preadv(self._file, [out.data], self._offset + start * self.row_bytes) != out.nbytes:
            raise DataError(f"{self._path}: ends before the rows it held when training began; it was changed")

    def announce(self, start: int, count: int) -> None:
        """Let the disk fetch a run that will be asked for soon."""
        if self._file >= 0 and hasattr(os, "posix_fadvise"):
            offset = self._offset + start * self.row_bytes
            os.posix_fadvise(self._file, offset, count * self.row_bytes, os.POSIX_FADV_WILLNEED)

    @property
    def window(self) -> int:
        """Rows of a large file held in memory at a time, twice."""
        return max(1, _WINDOW_BYTES // self.row_bytes)


def shuffled_blocks(rows: Rows, rng: np.random.Generator) -> Array:
    """A random order of a large file's rows that does not read each from another place.

    Blocks of 256 KiB are put in random order, and their rows are shuffled within windows of 32 MiB:
    the neighbours of a row are drawn from 128 places of the file.
    """
    block = max(1, _BLOCK_BYTES // rows.row_bytes)
    starts = rng.permutation(-(-len(rows) // block)) * block
    order = (starts[:, None] + np.arange(block)).reshape(-1)
    order = order[order < len(rows)]
    for first in range(0, len(order), rows.window):
        rng.shuffle(order[first : first + rows.window])
    return order


class Windows:
    """Reads rows in a given order, one window of it after the other.

    While rows are given out of one window, the next one is read, a share with every batch.
    """

    def __init__(self, rows: Rows, order: Array, first: int = 0) -> None:
        self._rows, self._order = rows, order
        self._size = min(rows.window, len(order))
        self._buffers = [np.empty((self._size, *rows._source.shape[1:]), rows._source.dtype) for _ in range(2)]
        self._number = first // self._size
        self._local, rest = self._begin(self._number)
        for _ in rest:
            pass
        self._next_local, self._rest = self._begin(self._number + 1)

    def _begin(self, number: int) -> tuple[Array, Iterator[int]]:
        """Where in its buffer each row of a window will be, and an iterator that reads it run by run."""
        rows, local = np.unique(self._order[number * self._size : (number + 1) * self._size], return_inverse=True)
        edges = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
        runs = list(zip(rows[edges].tolist(), np.diff(edges, append=len(rows)).tolist(), strict=True))
        for start, count in runs:
            self._rows.announce(start, count)
        return local, self._read(self._buffers[number % 2], runs)

    def _read(self, buffer: Array, runs: list[tuple[int, int]]) -> Iterator[int]:
        at = 0
        for start, count in runs:
            self._rows.run(start, buffer[at : at + count])
            at += count
            yield at

    def __call__(self, first: int, out: Array) -> None:
        """Copy the rows at places first … first + len(out) of the order; each call goes on from the last."""
        done = 0
        while done < len(out):
            place = first + done - self._number * self._size
            if place >= self._size:
                self._advance()
                continue
            n = min(len(out) - done, self._size - place)
            self._buffers[self._number % 2].take(self._local[place : place + n], 0, out[done : done + n], "clip")
            done += n
            wanted = (place + n) * len(self._next_local) // self._size
            for read in self._rest:
                if read >= wanted:
                    break

    def _advance(self) -> None:
        for _ in self._rest:
            pass
        self._number += 1
        self._local = self._next_local
        self._next_local, self._rest = self._begin(self._number + 1)
