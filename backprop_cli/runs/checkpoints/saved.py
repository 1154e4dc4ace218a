"""Which checkpoints a run keeps: last.safetensors, the ones before it (last-1, last-2, …), and best.safetensors."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path

from backprop_cli.runs.files import Folder
from backprop_cli.runs.plain import failure

LAST, BEST = "last.safetensors", "best.safetensors"
DAMAGED = "damaged.safetensors"  # set aside for a look
_OLDER = re.compile(r"last-([1-9][0-9]{0,3})\.safetensors")


def older(number: int) -> str:
    """The checkpoint that many before the last."""
    return f"last-{number}.safetensors" if number else LAST


def newest_first(folder: Path) -> list[Path]:
    """The checkpoints to resume from, best candidate first."""
    numbers = {0} | {int(matched[1]) for path in folder.iterdir() if (matched := _OLDER.fullmatch(path.name))}
    return [folder / older(number) for number in sorted(numbers) if os.path.lexists(folder / older(number))]


def make_room(folder: Folder, keep: int) -> None:
    """Move the last checkpoints back by one, so that a new one may take its name. Raises OSError.

    There is a last.safetensors at every moment: it gets a second name, and loses the first to the new file.
    """
    if keep == 1:
        return
    folder.remove(older(keep - 1))
    for number in range(keep - 1, 1, -1):
        with suppress(FileNotFoundError):
            folder.rename(older(number - 1), older(number))
    with suppress(FileNotFoundError):
        folder.add_name(LAST, older(1))


def forget(folder: Path, keep: int) -> None:
    """Remove what is older than the last checkpoints that are kept: more were, before the config changed.

    Raises RunError.
    """
    try:
        for path in newest_first(folder)[keep:]:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise failure(f"cannot write {folder}", error) from None


def clean(folder: Path) -> None:
    """Remove what a killed process left half written. Only for whoever holds the run's lock."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)
