"""What tells whether a file is still the one that it was.

Files are hashed again only where size and times could deceive: where these are others, though the contents may be the
same, and where a file had changed so shortly before it was read that a second change may bear the same time.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

_TICK = 2_000_000_000  # ns: how coarse the clocks of file systems are at most
Stamp = Annotated[tuple[int, int, int, int, str], Field(strict=False)]  # see `times`, and SHA-256


def stamp(files: Iterable[Path]) -> dict[str, Stamp]:
    """What tells by absolute path whether a file is still the one that an entry was made from; see `confirmed`."""
    return {str(path.absolute()): (*times(path), _digest(path)) for path in sorted(files)}


def times(path: str | Path) -> tuple[int, int, int, int]:
    """Now, size, and times of modification and change (ns). The last cannot be set."""
    now, stat = time.time_ns(), os.stat(path)
    return now, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns


def _digest(path: str | Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def confirmed(path: str | Path, stamped: Stamp, tick: int = _TICK) -> Stamp | None:
    """The stamp of a file that is as it was, a new one where it had to be hashed to know; None if it has changed."""
    moment, size, *_, digest = stamped
    now = times(path)
    if now[1] != size:
        return None
    if now[2:] == stamped[2:4] and max(now[2:]) + tick < moment:
        return stamped
    return (*now, digest) if _digest(path) == digest else None
