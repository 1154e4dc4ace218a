"""Writes checkpoints that lie in memory: in the process that trains, or in one of its own (`background`).

No NumPy here, so that such a process starts in an instant.
"""

from __future__ import annotations

import json
import mmap
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypedDict
from zlib import crc32

from backprop_cli.errors import BpError, CheckpointError
from backprop_cli.runs.checkpoints import saved
from backprop_cli.runs.checkpoints.header import header
from backprop_cli.runs.files import Folder
from backprop_cli.runs.metrics_log import dumps
from backprop_cli.runs.plain import failure


class Plan(TypedDict):
    """Where the arrays of a checkpoint lie in memory, in the order of the file; and what its header says of them."""

    spans: Mapping[str, Sequence[int]]
    described: str


class Order(TypedDict):
    """What to write: the plain values of each checkpoint by its name; and the log whose rows have to reach the disk
    before, if there are new ones."""

    values: Mapping[str, Any]
    sync: str | None


class Writer:
    """Writes the checkpoints of a run from the same memory each time."""

    def __init__(self, memory: memoryview, plans: Mapping[str, Plan], folder: Folder, keep: int, log: int) -> None:
        self._files = {
            name: ({each: memory[a:b] for each, (a, b) in plan["spans"].items()}, plan["described"])
            for name, plan in plans.items()
        }
        self.path = folder.path
        self._folder, self._log = folder, log
        self._make_room = partial(saved.make_room, folder, keep)

    def write(self, order: Order) -> None:
        """Raises RunError; CheckpointError where there are too many arrays."""
        if order["sync"]:
            try:
                os.fsync(self._log)
            except OSError as error:
                raise failure(f"cannot write {order['sync']}", error) from None
        for name, values in order["values"].items():
            write(self._folder, name, *self._files[name], values, self._make_room if name == saved.LAST else None)


def write(
    folder: Folder,
    name: str,
    arrays: Mapping[str, memoryview],
    described: str,
    values: Any,
    before: Callable[[], None] | None = None,
) -> None:
    """Write a checkpoint whole or not at all; `before` is called just before it takes its name.

    `described` is what the header says of the arrays, `values` a JSON document.
    Raises RunError; CheckpointError where there are too many arrays.
    """
    try:
        head = header(described, {each: crc32(array) for each, array in arrays.items()}, dumps(values))
    except ValueError as error:
        raise CheckpointError(f"cannot write {folder.path / name}: {error}") from None
    folder.write(name, [head, *arrays.values()], before)


def main() -> None:
    """Do what a training says on stdin, line by line, until it says no more; what went wrong is the answer."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):  # they are for the training, which ends this
        signal.signal(number, signal.SIG_IGN)
    lines = sys.stdin.buffer
    start: dict[str, Any] = json.loads(lines.readline())
    memory = memoryview(mmap.mmap(start["memory"], start["size"], prot=mmap.PROT_READ))
    folder = Folder(Path(start["path"]), start["folder"])
    writer = Writer(memory, start["plans"], folder, start["keep"], start["log"])
    for line in lines:
        if not line.endswith(b"\n"):  # the training was killed in the middle of it
            return
        try:
            writer.write(json.loads(line))
            answer = None
        except BpError as error:
            answer = [type(error).__name__, str(error)]
        os.write(sys.stdout.fileno(), json.dumps(answer).encode() + b"\n")
