"""Opening files that may be anything: only regular ones, without waiting, and only so much of them.

A pipe that nobody writes to would wait for ever, and /dev/zero never ends.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

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


def check_regular(path: Path) -> None:
    """Raise OSError, which says what it is instead, for what is no regular file, nor leads to one."""
    _refuse(os.stat(path).st_mode)


def real(path: Path) -> Path:
    """The path with links followed. Where they lead in a circle `Path.resolve` raises a RuntimeError; opening it says
    what is wrong."""
    return Path(os.path.realpath(path))


def _refuse(mode: int) -> None:
    if not stat.S_ISREG(mode):
        number = errno.EISDIR if stat.S_ISDIR(mode) else errno.EINVAL
        raise OSError(number, f"not a regular file but {_KINDS.get(stat.S_IFMT(mode), 'something else')}")


def read_regular(path: Path, limit: int, *, links: bool = True) -> bytes:
    """A regular file of at most `limit` bytes. Raises OSError."""
    with os.fdopen(open_regular(path, links=links), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        data = b"" if size > limit else file.read(limit + 1)
    if max(size, len(data)) > limit:
        raise OSError(errno.EFBIG, f"larger than {limit:,} bytes")
    return data
