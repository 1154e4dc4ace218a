"""metrics.jsonl: one JSON object a line."""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backprop_cli.errors import to_stderr
from backprop_cli.runs.contents import LOG_LINE, ROW
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.json_text import dumps
from backprop_cli.runs.plain import failure, open_plain, read_plain, sync
from backprop_cli.runs.rows import Rows
from backprop_cli.untrusted.documents import Document

FLUSH_SECONDS = 0.5
MAX_ROW = 1 << 16  # bytes of a row that is found from the end
MAX_LOG = 1 << 30  # bytes of a log that are read: some three million rows
TAIL = 1 << 12  # bytes of the log that each checkpoint carries along, to repair a torn file with


class MetricsLog:
    """Appends rows; written at least twice a second, so that `tail -f` shows them. Raises RunError."""

    def __init__(self, path: Path, tail: bytes = b"", rows: int = 0) -> None:
        self.path, self.rows = path, rows
        self._waiting: list[bytes] = []  # not written yet
        self._unsynced = rows > 0  # whether there is something written that is perhaps not on the disk
        self._tail = tail
        self._flushed = 0.0
        try:
            self.handle = open_plain(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        except OSError as error:
            raise failure(f"cannot write {path}", error) from None
        self.close = weakref.finalize(self, os.close, self.handle)  # also where nobody calls it

    def write(self, row: Mapping[str, Any]) -> None:
        """Append one row; rows reach the file at once if the last `flush` was 0.5 s ago or more. Raises RunError."""
        self._append(f"{dumps(row)}\n".encode(), 1)

    def write_all(self, rows: Rows) -> None:
        """Append rows. Raises RunError."""
        self._append(rows.json_lines().encode(), len(rows))

    def _append(self, text: bytes, rows: int) -> None:
        self.rows += rows
        self._waiting.append(text)
        self._tail = self._tail + text if len(text) <= TAIL else text
        if len(self._tail) > 2 * TAIL:
            self._tail = self.tail
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    @property
    def tail(self) -> bytes:
        """The last whole lines, some 4 KiB."""
        if len(self._tail) <= TAIL:
            return self._tail
        return self._tail[self._tail.index(b"\n", -TAIL - 1) + 1 :]

    def flush(self) -> None:
        """Hand everything to the operating system."""
        self._unsynced = self._unsynced or bool(self._waiting)
        try:
            while rest := b"".join(self._waiting):
                self._waiting = [rest]  # also where a part of it cannot be written
                self._waiting = [rest[os.write(self.handle, rest) :]]
            self._waiting.clear()
        except OSError as error:
            raise failure(f"cannot write {self.path}", error) from None
        self._flushed = time.monotonic()

    def sync(self) -> None:
        """Bring everything to the disk, where that is not done yet."""
        self.flush()
        if self._unsynced:
            try:
                sync(self.handle)
            except OSError as error:
                raise failure(f"cannot write {self.path}", error) from None
            self._unsynced = False


def repair(path: Path, tail: bytes, rows: int) -> int:
    """Bring a log to where it held `rows` lines and ended with `tail`: a torn line and later rows go, lost
    ones come back. Returns how many stay lost. The file is replaced at once, or left as it is."""
    known = [line for line in tail.splitlines() if _step(line) is not None]
    first = _step(known[0]) if known else None
    whole: list[bytes] = []
    last = 0
    before = _read(path)
    for line in before.split(b"\n"):
        step = _step(line)
        if step is not None and last < step and (first is None or step < first) and len(whole) < rows - len(known):
            whole.append(line)
            last = step
    after = b"".join(line + b"\n" for line in [*whole, *known])
    if after != before:
        write_atomically(path, [after])
    return rows - len(whole) - len(known)


def _read(path: Path) -> bytes:
    try:
        return read_plain(path, MAX_LOG)
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise failure(f"cannot read {path}", error) from None


def _step(line: bytes) -> int | None:
    """The step of a row; None for what is not a row."""
    try:
        return LOG_LINE.line(line)["step"]
    except ValueError:
        return None


def read(path: Path, document: Document[dict[str, Any]] = ROW) -> Iterator[dict[str, Any]]:
    """The rows of a log, none where there is no file. What a killed process left of a last line is left out, and other
    lines that are not what they should be, which is said.

    Raises RunError for what is no regular file, or a link, or so large that no training wrote it.
    """
    *lines, torn = _read(path).split(b"\n")
    wrong: list[str] = []
    for number, line in enumerate(lines, start=1):
        try:
            row = document.line(line)
        except ValueError as error:
            wrong.append(f"{path}:{number}: {error}")
            continue
        yield row
    if torn and not wrong:
        with suppress(ValueError):
            yield document.line(torn)
    if wrong:
        others = len(wrong) - 1
        more = f" (and {others} more line{'s' * (others > 1)})" if others else ""
        to_stderr(f"{wrong[0]}{more}; left out")


def last(path: Path) -> dict[str, Any] | None:
    """The last whole row of a log, found without reading the rest; None where there is none."""
    try:
        with os.fdopen(open_plain(path, os.O_RDONLY), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - MAX_ROW))
            lines = file.read(MAX_ROW).split(b"\n")
    except OSError:
        return None
    for line in reversed(lines):
        with suppress(ValueError):
            return ROW.line(line)
    return None
