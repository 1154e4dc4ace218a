"""Opening files that may be anything: only regular ones, without waiting, and only so much of them.

A pipe that nobody writes to would wait for ever, /dev/zero never ends, and seven megabytes can unpack to gigabytes.
"""

from __future__ import annotations

import errno
import os
import stat
import zlib
from pathlib import Path

PIECE = 1 << 20
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


def open_regular(path: Path, flags: int = os.O_RDONLY, *, links: bool = True) -> int:
    """open(2) of a regular file, its descriptor; without `links`, never through a symbolic link.

    Raises OSError, which says what it is instead.
    """
    flags |= os.O_NONBLOCK | os.O_CLOEXEC | (0 if links else os.O_NOFOLLOW)
    if links and not flags & os.O_CREAT:
        _refuse(os.stat(path).st_mode)  # opening a device may already do something
    handle = os.open(path, flags, 0o666)
    try:
        _refuse(os.fstat(handle).st_mode)
    except OSError:
        os.close(handle)
        raise
    return handle


def _refuse(mode: int) -> None:
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, f"not a regular file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}")


def read_regular(path: Path, limit: int, *, links: bool = True) -> bytes:
    """A regular file of at most `limit` bytes. Raises OSError."""
    with os.fdopen(open_regular(path, links=links), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
    return data


def gunzip(data: bytes, limit: int) -> bytes:
    """The contents of a gzip file, of one member or several, at most `limit` bytes of them.

    Raises OSError (EFBIG) where there is more, zlib.error and EOFError where it is damaged.
    """
    found = bytearray()
    while data:
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof:
            piece = unpacker.decompress(data, PIECE)
            data = unpacker.unconsumed_tail
            found += piece
            if len(found) > limit:
                raise OSError(errno.EFBIG, f"unpacks to more than {limit:,} bytes")
            if not piece and not data and not unpacker.eof:
                raise EOFError("it ends before the end of its data")
        data = unpacker.unused_data.lstrip(b"\0")
    return bytes(found)
