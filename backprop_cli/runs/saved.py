"""Which checkpoints a run keeps: last.safetensors, the ones before it (last-1, last-2, …), and best.safetensors."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

LAST, BEST = "last.safetensors", "best.safetensors"
DAMAGED = "damaged.safetensors"  # set aside for a look
_OLDER = re.compile(r"last-([1-9][0-9]{0,3})\.safetensors")


def older(number: int) -> str:
    """The checkpoint that many before the last."""
    return f"last-{number}.safetensors" if number else LAST


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints to resume from, best candidate first."""
    numbers = {0} | {int(found[1]) for path in folder.iterdir() if (found := _OLDER.fullmatch(path.name))}
    return [folder / older(number) for number in sorted(numbers) if os.path.lexists(folder / older(number))]


def make_room(folder: Path, keep: int) -> None:
    """Move the last checkpoints back by one, so that a new one may take its name. Raises OSError.

    There is a last.safetensors at every moment: it gets a second name, and loses the first to the new file.
    """
    (folder / older(keep)).unlink(missing_ok=True)
    for number in range(keep - 1, 1, -1):
        if os.path.lexists(folder / older(number - 1)):
            os.replace(folder / older(number - 1), folder / older(number))
    if keep > 1 and os.path.lexists(folder / LAST):
        _second_name(folder / LAST, folder / older(1))


def _second_name(path: Path, other: Path) -> None:
    other.unlink(missing_ok=True)
    try:
        os.link(path, other, follow_symlinks=False)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        os.replace(path, other)  # a file system without hard links


def clean(folder: Path) -> None:
    """Remove what a killed process left half written. Only for whoever holds the run's lock."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
