"""The IDX format of the MNIST family: two zero bytes, a type, the number of dimensions, the sizes
(4 bytes each), the values; everything big-endian. http://yann.lecun.com/exdb/mnist/
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError

_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}


def read_idx(path: Path) -> Array:
    """The array of an IDX file, gzipped or not, in the machine's byte order. Raises DataError."""
    try:
        return parse_idx(path.read_bytes(), str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot read it: {error.strerror or error}") from error


def parse_idx(data: bytes, name: str) -> Array:
    """The array in the bytes of an IDX file, gzipped or not; `name` is for messages. Raises DataError."""
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise DataError(f"{name}: damaged gzip file: {error}; fetch it again") from error
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in _TYPES:
        raise DataError(f"{name}: not an IDX file; expected it to begin with 00 00 and a type, got {data[:4]!r}")
    dtype, ndim = np.dtype(_TYPES[data[2]]), data[3]
    start = 4 + 4 * ndim
    if len(data) < start:
        raise DataError(f"{name}: the IDX file ends within its header; fetch it again")
    shape = struct.unpack(f">{ndim}I", data[4:start])
    wanted = start + math.prod(shape) * dtype.itemsize
    if len(data) != wanted:
        raise DataError(f"{name}: damaged IDX file; its header {shape} asks for {wanted} bytes, it has {len(data)}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape).astype(dtype.newbyteorder("="), copy=False)
