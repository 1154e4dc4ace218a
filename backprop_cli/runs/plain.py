"""Opening the files of a run: regular ones only, never through a symbolic link; errors in one line; what to do
without where the file system lacks it."""

from __future__ import annotations

import errno
import os
import re
from functools import cache
from pathlib import Path

from backprop_cli.errors import RunError, to_stderr
from backprop_cli.untrusted.regular import open_regular, read_regular

ADVICE = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EFBIG: "the limit is that of the file system or of `ulimit -f`",
    errno.EMFILE: "raise the limit with `ulimit -n`",
    errno.EACCES: "check the permissions",
    errno.EROFS: "choose another place with --runs",
    errno.ELOOP: "it is a symbolic link, and nothing is read or written through one here; remove it",
}


#: what a call answers where the file system does not have it at all
MISSING = (errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


def failure(what: str, error: OSError) -> RunError:
    """`what`: the cause; what to do. In one line."""
    advice = ADVICE.get(error.errno or 0)
    cause = re.sub(r"^.*Detail: \[errno \d+\] ", "", str(error.strerror or error))  # the words of PyArrow before it
    return RunError(f"{what}: {cause}" + (f"; {advice}" if advice else ""))


def open_plain(path: Path, flags: int) -> int:
    """open(2) of a regular file, never through a symbolic link and never waiting for a pipe's other end.

    Raises OSError.
    """
    return open_regular(path, flags, links=False)


def read_plain(path: Path, limit: int) -> bytes:
    """A regular file of at most `limit` bytes, not through a link. Raises OSError."""
    return read_regular(path, limit, links=False)


def sync(handle: int) -> None:
    """fsync(2), where the file system has that. Raises OSError."""
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in MISSING:
            raise
        do_without("fsync", "what was written last may be lost when the machine stops")


@cache
def do_without(what: str, so: str) -> None:
    """Say, once in a process, what the file system lacks and what follows from it."""
    to_stderr(f"this file system has no {what}: {so}")
