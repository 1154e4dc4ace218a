"""Limits from this machine's memory."""

from __future__ import annotations

import os

from backprop_cli.errors import DataError

_SHARE = 0.6  # of the memory, which one array may take


def physical_memory() -> int:
    """Bytes of memory of this machine; 16 GiB where the system does not tell."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 34


def check_room(needed: int, what: str, remedy: str) -> None:
    """Raise DataError where `what` takes more bytes than there may be."""
    memory = physical_memory()
    if needed > _SHARE * memory:
        raise DataError(f"{what} take {needed / 2**30:.1f} GiB, this machine has {memory / 2**30:.1f}; {remedy}")
