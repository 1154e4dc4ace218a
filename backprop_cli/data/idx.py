"""The IDX format of the MNIST family: two zero bytes, a type, the number of dimensions, the sizes
(4 bytes each), the values; everything big-endian. http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import gzip
import io
import math
import os
import struct
import zlib
from pathlib import Path
from typing import IO

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError
from backprop_cli.untrusted.limits import swollen, unpacked
from backprop_cli.untrusted.regular import open_regular

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_MAX_RANK = 8


def read_idx(path: Path) -> Array:
    """The array of an IDX file, gzipped or not, of up to 8 axes in the machine's byte order. Raises DataError."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return _read(file, os.fstat(file.fileno()).st_size, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from error


def parse_idx(data: bytes, name: str) -> Array:
    """The array of `read_idx` from the bytes of an IDX file; `name` is for messages. Raises DataError."""
    return _read(io.BytesIO(data), len(data), name)


def _read(file: IO[bytes], size: int, name: str) -> Array:
    packed = file.read(2) == b"\x1f\x8b"
    file.seek(0)
    if not packed:
        return _array(file, size, size, name)
    try:
        with gzip.GzipFile(fileobj=file) as stream:
            return _array(stream, size, unpacked(size), name)  # type: ignore[arg-type]  # it reads as any file
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(f"{name}: damaged gzip file: {error}; fetch it again") from error


def _array(file: IO[bytes], size: int, most: int, name: str) -> Array:
    """The array of a stream that gives at most `most` bytes; the file takes `size` on the disk."""
    head = file.read(4)
    if len(head) < 4 or head[:2] != b"\0\0" or head[2] not in _TYPES or not head[3] <= _MAX_RANK:
        raise DataError(f"{name}: not an IDX file; expected it to begin with 00 00 and a type, got {head!r}")
    dtype, ndim = np.dtype(_TYPES[head[2]]), head[3]
    sizes = file.read(4 * ndim)
    if len(sizes) < 4 * ndim:
        raise DataError(f"{name}: the IDX file ends within its header; fetch it again")
    shape = struct.unpack(f">{ndim}I", sizes)
    wanted = math.prod(shape) * dtype.itemsize
    if wanted > most and most != size:
        raise DataError(f"{name}: {swollen(size, wanted)}")
    data = file.read(min(wanted, most) + 1)
    if len(data) != wanted:
        held = "more" if len(data) > wanted else f"{len(data)}"
        raise DataError(
            f"{name}: damaged IDX file; its header {shape} asks for {wanted} bytes of values, it has {held}"
        )
    return np.frombuffer(data, dtype).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
