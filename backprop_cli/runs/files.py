"""Writes files atomically: whole, or not at all."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from backprop_cli.runs.json_text import dumps
from backprop_cli.runs.plain import MISSING, do_without, failure, sync

AT_ONCE = 1024  # pieces; more are refused (IOV_MAX)


class Folder:
    """A directory held open, to write files in. Raises RunError where there is none."""

    def __init__(self, path: Path, handle: int | None = None) -> None:
        """`handle`: where it is open already."""
        self.path = path
        try:
            self.handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) if handle is None else handle
        except OSError as error:
            raise failure(f"cannot write to {path}", error) from error
        self.close = weakref.finalize(self, os.close, self.handle)

    def write(self, name: str, pieces: Iterable[bytes | memoryview], before: Callable[[], None] | None = None) -> None:
        """Write the pieces to a temporary file, fsync, rename it, fsync the directory (rename(2), fsync(2)).

        `before` is called between fsync and rename, when nothing can be missing any more.
        Raises RunError; what had the name then still has it.
        """
        temporary = f".{name}.{os.urandom(4).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            handle = os.open(temporary, flags, 0o666, dir_fd=self.handle)
            try:
                try:
                    _write(handle, pieces)
                    sync(handle)
                finally:
                    os.close(handle)
                if before is not None:
                    before()
                self.rename(temporary, name)
            except BaseException:
                self.remove(temporary)
                raise
            self.sync()
        except OSError as error:
            raise failure(f"cannot write {self.path / name}", error) from error

    def remove(self, name: str) -> None:
        """Unlink a file, if there is one. Raises OSError."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    def rename(self, name: str, other: str) -> None:
        """Also over another file. Raises OSError."""
        os.replace(name, other, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def add_name(self, name: str, other: str) -> None:
        """Give a file a second name; the only one, on a file system without hard links. Raises OSError."""
        try:
            os.link(name, other, src_dir_fd=self.handle, dst_dir_fd=self.handle, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (*MISSING, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK):
                raise
            do_without("hard links", f"while {name} is replaced, only {other} is there")
            self.rename(name, other)

    def sync(self) -> None:
        """Make renames durable. Raises OSError."""
        sync(self.handle)


def write_atomically(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file whole or not at all. Raises RunError; what was at `path` is then still there."""
    Folder(path.parent).write(path.name, pieces)


def _write(handle: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write everything, in few calls."""
    waiting = [memoryview(piece) for piece in pieces if len(piece)]
    while waiting:
        written = os.writev(handle, waiting[:AT_ONCE])
        while waiting and written >= len(waiting[0]):
            written -= len(waiting.pop(0))
        if written:
            waiting[0] = waiting[0][written:]


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, NaN as null. Raises RunError."""
    write_atomically(path, [(dumps(value, indent=2) + "\n").encode()])
