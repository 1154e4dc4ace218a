"""Reading chosen rows of an array that may be a memory map far larger than memory."""

from __future__ import annotations

import mmap
import os
import time
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.errors import DataError

Array = npt.NDArray[Any]

#: memory maps from this size on are read with pread: pages touched through a map count as the
#: process's memory, and dropping them again costs more than reading rows into a buffer
LARGE_BYTES = 1 << 28
_SLOW_SECONDS_PER_ROW = 2e-5  # slower than the page cache ever is: the rows come from the disk


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


class Gather:
    """Copies rows of `source` (N, …): `gather(indices, out)`, or `gather.slice(start, stop, out)`.

    Rows of a large memory map are read from its file, so that they never count as memory of this
    process; when they come from the disk, all rows of a batch are asked for before the first is
    read. Raises DataError when the file has become shorter.
    """

    def __init__(self, source: Array) -> None:
        self._source = np.asarray(source)
        # np.take would copy the whole of an array that is not contiguous and aligned
        self._whole_rows = self._source.flags.c_contiguous and self._source.flags.aligned
        self.large = is_large(source)
        self._map = source
        self._file = -1
        self._from_disk = False
        root = _root(source)
        if self.large and self._whole_rows and root and hasattr(os, "preadv"):
            self._open(root[0], root[1].size())

    def _open(self, root: Array, size: int) -> None:
        path = getattr(root, "filename", None)
        if path is None:
            return
        try:
            file = os.open(path, os.O_RDONLY)
        except OSError:
            return  # moved since it was mapped: the map still works
        if os.fstat(file).st_size != size:
            os.close(file)
            return
        self._file, self._path = file, path
        self._offset = root.offset + self._source.ctypes.data - root.ctypes.data  # type: ignore[attr-defined]  # np.memmap's
        self._row_bytes = self._source[:1].nbytes

    def __del__(self) -> None:
        if getattr(self, "_file", -1) >= 0:
            os.close(self._file)

    def slice(self, start: int, stop: int, out: Array) -> None:
        """Copy rows start..stop, one read."""
        if self._file < 0:
            np.copyto(out, self._source[start:stop])
            if self.large:
                release(self._map)
        else:
            if os.preadv(self._file, [out.data], self._offset + start * self._row_bytes) != out.nbytes:
                raise self._shortened()

    def __call__(self, indices: Array, out: Array) -> None:
        if self._file >= 0:
            self._read_rows(indices, out)
        elif self._whole_rows:
            self._source.take(indices, 0, out, "clip")
        else:
            out[...] = self._source[indices]
        if self.large and self._file < 0:
            release(self._map)

    def _read_rows(self, indices: Array, out: Array) -> None:
        began = time.perf_counter()
        offsets = indices * self._row_bytes + self._offset
        order = np.argsort(offsets)  # neighbours in the file one after the other
        if self._from_disk:
            for offset in offsets[order].tolist():
                os.posix_fadvise(self._file, offset, self._row_bytes, os.POSIX_FADV_WILLNEED)
        buffer = out.reshape(-1).view(np.uint8).data
        file, size, read, complete = self._file, self._row_bytes, os.preadv, True
        for at, offset in zip((order * size).tolist(), offsets[order].tolist(), strict=True):
            complete &= read(file, [buffer[at : at + size]], offset) == size
        if not complete:
            raise self._shortened()
        self._from_disk = time.perf_counter() - began > _SLOW_SECONDS_PER_ROW * len(offsets)

    def _shortened(self) -> DataError:
        return DataError(f"{self._path}: ends before the rows it held when training began; it was changed")
