"""Writes files atomically: whole, or not at all."""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from backprop_cli.errors import UsageError
from backprop_cli.runs.json_text import dumps
from backprop_cli.runs.plain import MISSING, do_without, failure, sync
from backprop_cli.untrusted.regular import check_regular, real

#: what link(2) answers on file systems without hard links
NO_LINKS = (*MISSING, errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK)
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

    def write(
        self,
        name: str,
        pieces: Iterable[bytes | memoryview],
        before: Callable[[], None] | None = None,
        replace: bool = True,
    ) -> None:
        """Write the pieces to a temporary file, fsync, rename it, fsync the directory (rename(2), fsync(2)).

        `before` is called between fsync and rename, when nothing can be missing any more. Raises RunError; what had
        the name then still has it. Raises FileExistsError for a name that is taken, unless it may `replace` that.
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
                if replace:
                    self.rename(temporary, name)
                else:
                    self._rename_to_new(temporary, name)
            except BaseException:
                self.remove(temporary)
                raise
            self.sync()
        except FileExistsError:
            raise
        except OSError as error:
            raise failure(f"cannot write {self.path / name}", error) from error

    def remove(self, name: str) -> None:
        """Unlink a file, if there is one. Raises OSError."""
        with suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self.handle)

    def rename(self, name: str, other: str) -> None:
        """Also over another file. Raises OSError."""
        os.replace(name, other, src_dir_fd=self.handle, dst_dir_fd=self.handle)

    def _rename_to_new(self, name: str, other: str) -> None:
        """Never over another file, where there are hard links. Raises OSError."""
        try:
            os.link(name, other, src_dir_fd=self.handle, dst_dir_fd=self.handle, follow_symlinks=False)
            self.remove(name)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            with suppress(FileNotFoundError):
                os.stat(other, dir_fd=self.handle, follow_symlinks=False)
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), other) from None
            self.rename(name, other)

    def add_name(self, name: str, other: str) -> None:
        """Give a file a second name; the only one, on a file system without hard links. Raises OSError."""
        try:
            os.link(name, other, src_dir_fd=self.handle, dst_dir_fd=self.handle, follow_symlinks=False)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            do_without("hard links", f"while {name} is replaced, only {other} is there")
            self.rename(name, other)

    def sync(self) -> None:
        """Make renames durable. Raises OSError."""
        sync(self.handle)


def write_atomically(path: Path, pieces: Iterable[bytes | memoryview]) -> None:
    """Write a file whole or not at all. Raises RunError; what was at `path` is then still there."""
    Folder(path.parent).write(path.name, pieces)


def destination(path: Path) -> Path:
    """Where a file is to be written that a user named: at `path`, or at the end of a link.

    Raises UsageError where its folder does not exist; RunError for what is there and is no regular file: a rename would
    put a file in the place of /dev/null.
    """
    target = real(path)
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no folder {target.parent if path.is_symlink() else path.parent}")
    try:
        check_regular(target)
    except FileNotFoundError:
        return target
    except OSError as error:
        raise failure(f"cannot write {path}", error) from None
    return target


def write_output(path: Path, pieces: Iterable[bytes | memoryview], replace: bool = True) -> None:
    """Write a file that a user named, whole or not at all.

    Raises RunError, UsageError where its folder does not exist; FileExistsError for a file that it may not `replace`.
    """
    if not replace and os.path.lexists(path):
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
    target = destination(path)
    Folder(target.parent).write(target.name, pieces, replace=replace)


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
