"""The unpacked size of a Feather file, read from the headers of its messages before any is unpacked.

The buffers of a record batch are compressed one by one, and each begins with its length unpacked. Arrow does not tell
it: the flatbuffers are read here, as Message.fbs and https://flatbuffers.dev/internals have them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_MAGIC = b"ARROW1\0\0"
_HEADER, _BUFFERS, _COMPRESSION, _DATA = 2, 2, 3, 1  # numbers of fields: of Message, RecordBatch, DictionaryBatch


def unpacked_size(path: Path) -> int:
    """The bytes that all compressed buffers of a file hold. What is damaged counts nothing: reading it will say so."""
    import pyarrow as pa

    with pa.memory_map(str(path)) as file:
        data = file.read_buffer()
    if data.size < len(_MAGIC) or data[: len(_MAGIC)].to_pybytes() != _MAGIC:
        return 0
    total = 0
    try:
        for message in pa.ipc.MessageReader.open_stream(data.slice(len(_MAGIC))):
            total += sum(_lengths(message))
    except (pa.ArrowException, OSError, struct.error, OverflowError):
        pass
    return total


def _lengths(message: Any) -> Iterator[int]:
    """The length of each compressed buffer of a message, unpacked."""
    if message.type not in ("record batch", "dictionary"):
        return
    data = memoryview(message.metadata)
    batch = _table(data, _follow(data, 0), _HEADER)
    if message.type == "dictionary":
        batch = _table(data, batch, _DATA)
    buffers = _table(data, batch, _BUFFERS)
    if not buffers or not _place(data, batch, _COMPRESSION):
        return
    (count,) = struct.unpack_from("<I", data, buffers)
    for start, length in struct.iter_unpack("<qq", data[buffers + 4 : buffers + 4 + 16 * count]):
        if length > 8:
            yield max(0, struct.unpack_from("<q", memoryview(message.body), start)[0])


def _place(data: memoryview, table: int, number: int) -> int:
    """Where a field of a table lies; 0 where it is not there."""
    names = table - struct.unpack_from("<i", data, table)[0]
    (size,) = struct.unpack_from("<H", data, names)
    at = 4 + 2 * number
    offset = struct.unpack_from("<H", data, names + at)[0] if at < size else 0
    return table + offset if offset else 0


def _table(data: memoryview, table: int, number: int) -> int:
    """Where the table or vector lies that a field leads to; 0 where it is not there."""
    start = _place(data, table, number) if table else 0
    return _follow(data, start) if start else 0


def _follow(data: memoryview, start: int) -> int:
    return int(start + struct.unpack_from("<I", data, start)[0])
