"""Reading rows of an array that may be a memory map far larger than memory."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.errors import DataError

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]  # checked before use

Array = npt.NDArray[Any]

#: memory maps from this size on are read in blocks, and their pages dropped: pages of a file that
#: were touched count as memory of the process
LARGE_BYTES = 1 << 28
_WINDOW_BYTES = 1 << 25
_BLOCK_BYTES = 1 << 18
_PATIENCE = 16


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


def _pages_waited_for() -> int:
    """Page faults of this process that needed the disk, so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_majflt if resource else 0


class Gather:
    """Copies rows of `source` (N, …) out by number: `gather(order, first, out)`.

    Reading a large memory map in the order of `shuffled` keeps `window` rows of it in memory.
    """

    def __init__(self, source: Array) -> None:
        self._source, self._map = np.asarray(source), source
        # np.take would copy the whole of an array that is not contiguous and aligned
        self._whole = self._source.flags.c_contiguous and self._source.flags.aligned
        self.large = is_large(source)
        row_bytes = max(1, self._source[:1].nbytes)
        self.block = max(1, _BLOCK_BYTES // row_bytes)
        self.window = max(1, _WINDOW_BYTES // row_bytes)
        self._waited, self._announcements = _pages_waited_for(), 0

    @property
    def matrix(self) -> Array | None:
        """The rows as (N, numbers of a row), where they lie in memory one after the other."""
        return self._source.reshape(len(self._source), -1) if self._whole and not self.large else None

    def __call__(self, order: Array, first: int, out: Array) -> None:
        """Copy rows order[first], order[first + 1], …, as many as `out` holds."""
        last = first + len(out)
        rows = order[first:last]
        if self._whole:
            self._source.take(rows, 0, out, "clip")
        else:
            out[...] = self._source[rows]
        if self.large and first // self.window != last // self.window:
            release(self._map)
            if self._from_disk():
                self._announce(order[last : last + self.window])

    def _from_disk(self) -> bool:
        """Whether a page of the last few windows had to be waited for; asking for cached ones is not free."""
        waited = _pages_waited_for()
        self._announcements = _PATIENCE if waited != self._waited else max(0, self._announcements - 1)
        self._waited = waited
        return self._announcements > 0

    def _announce(self, rows: Array) -> None:
        """Let the disk fetch the blocks that these rows lie in."""
        root = _root(self._map)
        if root is None or not isinstance(root[0], np.memmap) or not hasattr(mmap, "MADV_WILLNEED"):
            return
        page = mmap.ALLOCATIONGRANULARITY
        base = root[0].offset % page + self._source.ctypes.data - root[0].ctypes.data
        row_bytes = self._source.strides[0]
        for block in np.unique(rows // self.block).tolist():
            start = (base + block * self.block * row_bytes) // page * page
            root[1].madvise(mmap.MADV_WILLNEED, start, self.block * row_bytes)

    def shuffled(self, rows: Array, rng: np.random.Generator) -> Array:
        """Ascending row numbers in random order; for a large map one that keeps to few of its pages.

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
