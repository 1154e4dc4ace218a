"""The file of a search that Optuna keeps, held by one process at a time."""

from __future__ import annotations

import fcntl
import os
import warnings
from pathlib import Path
from typing import Any

from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs.plain import failure, open_plain

JOURNAL = "optuna.journal"
MAX_JOURNAL = 1 << 30  # bytes that are read
MAX_LINE = 1 << 20  # bytes of a line that is found from the end
EXTRA = "pip install 'backprop-cli[search]'"


class Alone:
    """The lock of a journal that this process holds from beginning to end."""

    def acquire(self) -> bool:
        """True: this process has the journal for itself already."""
        return True

    def release(self) -> None:
        """Do nothing: other processes are kept out until the handle of `hold` is closed."""


def hold(path: Path) -> int:
    """Keep other searches out of a journal until the handle that is returned is closed, and end its last line where a
    process was killed while it wrote that. Raises RunError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = open_plain(path, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise failure(f"cannot use {path}", error) from None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        size = os.fstat(handle).st_size
        if size > MAX_JOURNAL:
            raise RunError(f"{path}: {size:,} bytes; expected at most {MAX_JOURNAL:,}")
        torn = os.pread(handle, MAX_LINE, max(0, size - MAX_LINE)).rpartition(b"\n")[2]
        os.ftruncate(handle, size - len(torn))
    except BlockingIOError:
        os.close(handle)
        raise RunError(f"another process searches in {path.parent}; wait for it, or choose another --name") from None
    except BaseException:
        os.close(handle)
        raise
    return handle


def optuna_of() -> Any:
    """The package, silent. Raises UsageError where it is not installed."""
    try:
        import optuna
    except ImportError as error:
        raise UsageError(f"this search needs {error.name or 'optuna'}: {EXTRA}") from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.filterwarnings("ignore", category=Warning, module=r"optuna\b.*")
    return optuna
