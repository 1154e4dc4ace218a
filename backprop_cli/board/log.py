"""The logs of a run as columns, read on from where the last look stopped."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backprop_cli.runs.contents import DIAGNOSIS, ROW
from backprop_cli.runs.directory import DIAGNOSTICS
from backprop_cli.runs.plain import failure, open_plain

MAX_BYTES = 64 << 20  # of a log: some 200,000 rows; of a longer one the newest are shown
MAX_COLUMNS = 400
X = ("epoch", "step", "time")


class Column:
    """The values of one quantity, and the rows of the log they stand in. Values are NaN where the log says null."""

    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows, self.values = array("q"), array("d")


class Log:
    """metrics.jsonl or diagnostics.jsonl. `refresh` reads what is new; where rows were taken back, as resuming does,
    all of it again.

    A row counts only if it is what it should be (`runs.contents`), and its step is larger than that of the row before:
    no point twice.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.document = DIAGNOSIS if path.name == DIAGNOSTICS else ROW
        self._forget()

    def _forget(self) -> None:
        self.columns: dict[str, Column] = {}
        self.x = {name: array("d") for name in X}
        self.cut = False  # whether the log is longer than what is shown
        self._file, self._offset, self._rest = 0, 0, b""

    def refresh(self) -> None:
        """Read what was written since. Raises RunError unless it is a regular file."""
        try:
            with os.fdopen(open_plain(self.path, os.O_RDONLY), "rb") as file:
                stat = os.fstat(file.fileno())
                if stat.st_ino != self._file or stat.st_size < self._offset:
                    self._forget()
                    self._file = stat.st_ino
                if stat.st_size - self._offset > MAX_BYTES:
                    self._forget()
                    self._file, self._offset, self.cut = stat.st_ino, stat.st_size - MAX_BYTES, True
                file.seek(self._offset)
                text = file.read(MAX_BYTES)
        except FileNotFoundError:
            self._forget()
            return
        except OSError as error:
            raise failure(f"cannot read {self.path}", error) from None
        self._offset += len(text)
        *lines, self._rest = (self._rest + text).split(b"\n")
        for line in lines:
            self._take(line)

    def _take(self, line: bytes) -> None:
        try:
            row = self.document.line(line)
        except ValueError:
            return
        if not row["step"] > (self.x["step"][-1] if self.x["step"] else -math.inf):
            return
        number = len(self.x["step"])
        for name in X:
            self.x[name].append(_number(row.get(name)))
        for name, value in _flat(row):
            column = self.columns.get(name)
            if column is None:
                if len(self.columns) == MAX_COLUMNS:
                    continue
                column = self.columns[name] = Column()
            column.rows.append(number)
            column.values.append(_number(value))


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The measured values of a row; those of layers as `gradient_norm of dense_1`, in the order of the layers."""
    for name, value in row.items():
        if isinstance(value, dict) and name == "layers":
            for layer, own in value.items():
                yield from ((f"{quantity} of {layer}", each) for quantity, each in own.items())
        elif name not in X and (value is None or isinstance(value, int | float)):
            yield name, value


def _number(value: Any) -> float:
    """A finite number, else NaN. A key that the schema does not know may be anything."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan
