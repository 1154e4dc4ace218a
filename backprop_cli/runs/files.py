"""Writing files so that they are there whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backprop_cli.runs.metrics_log import dumps
from backprop_cli.runs.plain import failure

AT_ONCE = 1000  # pieces that writev(2) takes; POSIX promises 16, Linux, BSD and macOS take 1,024


def write_atomically(
    path: Path, pieces: Iterable[bytes | memoryview], before: Callable[[], None] | None = None
) -> None:
    """Write to a temporary file beside `path`, fsync, rename, fsync the directory (rename(2), fsync(2)).

    `before` is called between fsync and rename, when nothing can be missing any more.
    Raises RunError; what was at `path` is then still there.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    try:
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            try:
                _write(handle, pieces)
                os.fsync(handle)
            finally:
                os.close(handle)
            if before is not None:
                before()
            os.replace(temporary, path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise failure(f"cannot write {path}", error) from error


def _write(handle: int, pieces: Iterable[bytes | memoryview]) -> None:
    """Write everything in few calls: each gives the interpreter's lock away, and a training waits for it."""
    waiting = [memoryview(piece) for piece in pieces if len(piece)]
    while waiting:
        written = os.writev(handle, waiting[:AT_ONCE])
        done = 0
        while done < len(waiting) and written >= len(waiting[done]):
            written -= len(waiting[done])
            done += 1
        del waiting[:done]
        if written:
            waiting[0] = waiting[0][written:]


def sync_folder(folder: Path) -> None:
    """Make a rename inside the folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, NaN as null. Raises RunError."""
    write_atomically(path, [(dumps(value, indent=2) + "\n").encode()])
