"""Copies of arrays in memory that another process can read."""

from __future__ import annotations

import mmap
import os
import weakref
from collections.abc import Mapping
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import numpy.typing as npt

from backprop_cli.runs.checkpoints import tensors
from backprop_cli.runs.checkpoints.writer import Plan
from backprop_cli.runs.plain import failure

Array = npt.NDArray[Any]


class Copies:
    """Copies of arrays, laid out as in a file, to be written while the arrays themselves change. The next ones go
    into the same memory: `size` bytes of the nameless file `handle`."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        """Raises KeyError for a type that no checkpoint has, RunError where the system gives no memory."""
        entries = tensors.layout(arrays)
        self.size = max(1, sum(entry.bytes for entry in entries.values()))
        try:
            self.handle = _nameless(self.size)
            self._memory = np.frombuffer(mmap.mmap(self.handle, self.size), np.uint8)
        except OSError as error:
            raise failure("cannot copy a checkpoint", error) from None
        self.close = weakref.finalize(self, os.close, self.handle)
        self.arrays: dict[str, Array] = {
            name: self._memory[entry.begin : entry.end].view(entry.dtype).reshape(entry.shape)
            for name, entry in entries.items()
        }
        self.take(arrays)

    @property
    def memory(self) -> memoryview:
        return self._memory.data

    def fit(self, arrays: Mapping[str, Array]) -> bool:
        """Whether these arrays have the names, shapes and types of those before."""
        return self.arrays.keys() == arrays.keys() and all(
            array.shape == self.arrays[name].shape and array.dtype == self.arrays[name].dtype
            for name, array in arrays.items()
        )

    def take(self, arrays: Mapping[str, Array]) -> None:
        """Copy these, which `fit`; the copies of others stay."""
        for name, array in arrays.items():
            np.copyto(self.arrays[name], array)

    def plan(self, arrays: Mapping[str, Array]) -> Plan:
        """Of a checkpoint of these, which are copies or parts of copies."""
        entries, start = tensors.layout(arrays), self._memory.ctypes.data
        begins = {name: arrays[name].ctypes.data - start if entry.bytes else 0 for name, entry in entries.items()}
        spans = {name: (begins[name], begins[name] + entry.bytes) for name, entry in entries.items()}
        return {"spans": spans, "described": tensors.described(entries)}


def _nameless(size: int) -> int:
    """A file that nobody else finds; in memory, where the system has that. Raises OSError."""
    if hasattr(os, "memfd_create"):
        handle = os.memfd_create("checkpoint")
        try:
            os.ftruncate(handle, size)
        except OSError:
            os.close(handle)
            raise
        return handle
    with TemporaryFile() as file:
        file.write(bytes(size))  # a disk that is full says so now
        file.flush()
        return os.dup(file.fileno())
