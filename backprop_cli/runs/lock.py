"""One writer a run: flock(2) on a file of the directory, which names the holder's pid.

The kernel gives the lock back when its process is gone, however it ended; a lock left behind never blocks. Where the
file system has no flock, as some network file systems, the pid in the file has to do.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from backprop_cli.errors import RunError
from backprop_cli.runs.plain import MISSING, do_without, failure, open_plain

LOCK = "lock"
PATIENCE = 0.1  # seconds: whoever only looks whether a run is running holds the lock for a moment


class Lock:
    """Held from construction to `release`. Raises RunError if another process holds it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            self.handle = open_plain(folder / LOCK, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise failure(f"cannot lock {folder}: {LOCK}", error) from None
        try:
            self._acquire()
            os.ftruncate(self.handle, 0)
            os.pwrite(self.handle, f"{os.getpid()}\n".encode(), 0)
        except BaseException as error:
            os.close(self.handle)
            if isinstance(error, OSError):
                raise failure(f"cannot lock {folder}", error) from None
            raise

    def _acquire(self) -> None:
        began = time.monotonic()
        while not _try(self.handle, fcntl.LOCK_EX):
            if time.monotonic() - began > PATIENCE:
                pid = os.pread(self.handle, 20, 0).decode(errors="replace").strip()
                holder = f"process {pid}" if pid.isdecimal() else "another process"
                raise RunError(f"{self.folder} is in use by {holder}; wait until it has ended, or stop it")
            time.sleep(0.005)

    def release(self) -> None:
        """Give the lock up, and empty its file."""
        with suppress(OSError):
            os.ftruncate(self.handle, 0)  # where there is no flock, this is how others know
        os.close(self.handle)


def is_held(folder: Path) -> bool:
    """Whether some process works on this run now."""
    try:
        handle = open_plain(folder / LOCK, os.O_RDONLY)
    except OSError:
        return False
    try:
        return not _try(handle, fcntl.LOCK_SH)
    finally:
        os.close(handle)


def _try(handle: int, kind: int) -> bool:
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno not in (*MISSING, errno.ENOLCK):
            raise
        do_without("locks", "a run is in use while the process lives that its file `lock` names, on this machine")
        return not _lives(os.pread(handle, 20, 0))
    return True


def _lives(pid: bytes) -> bool:
    """Whether there is such a process, and it is not this one."""
    try:
        os.kill(int(pid), 0)
    except (ProcessLookupError, OverflowError, ValueError):
        return False
    except PermissionError:
        return True
    return int(pid) != os.getpid()
