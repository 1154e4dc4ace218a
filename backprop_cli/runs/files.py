"""Writing files so that they are there whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backprop_cli.runs.metrics_log import finite
from backprop_cli.runs.plain import failure


def write_atomically(
    path: Path, pieces: Iterable[bytes | memoryview], before: Callable[[], None] | None = None
) -> None:
    """Write to a temporary file beside `path`, fsync, rename, fsync the directory (rename(2), fsync(2)).

    `before` is called between fsync and rename, when nothing can be missing any more.
    Raises RunError; what was at `path` is then still there.
    """
    try:
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                os.fchmod(handle, 0o644)
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(handle)
            if before is not None:
                before()
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(path.parent)
    except OSError as error:
        raise failure(f"cannot write {path}", error) from error


def sync_folder(folder: Path) -> None:
    """Make a rename inside the folder durable. Raises OSError."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_json(path: Path, value: Any) -> None:
    """Write a JSON document, NaN as null. Raises RunError."""
    write_atomically(path, [(json.dumps(finite(value), indent=2) + "\n").encode()])
