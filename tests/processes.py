"""The processes of a training, and their limits (Linux)."""

from __future__ import annotations

import os
import resource
from contextlib import suppress
from pathlib import Path


def children(pid: int | None = None) -> list[int]:
    """What a process (this one by default) has started: a training, the process that writes its checkpoints."""
    found: list[int] = []
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            found += map(int, (task / "children").read_text().split())
    return found


def limit(kind: int, value: int) -> None:
    """Lower a limit of this process and of those it has started, as `ulimit` would have before."""
    for pid in (os.getpid(), *children()):
        resource.prlimit(pid, kind, (value, resource.prlimit(pid, kind)[1]))
