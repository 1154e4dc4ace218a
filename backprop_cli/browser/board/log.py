"""The logs of a run as columns, read on from where the last look stopped."""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from operator import itemgetter
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic_core import from_json

from backprop_cli.runs.contents import DIAGNOSIS, ROW
from backprop_cli.runs.directory import DIAGNOSTICS
from backprop_cli.runs.plain import failure, open_plain

MAX_BYTES = 64 << 20  # of a log: some 200,000 rows; of a longer one the newest are shown
MAX_COLUMNS = 400
CHUNK = 10_000  # lines that are read at once
NUMBERS = {int, float, type(None)}  # types of what a line of metrics.jsonl holds
LARGEST = (1 << 63) - 1  # of a whole number
X = ("epoch", "step", "time")


class Quantity:
    """The values of one quantity, and the rows of the log they stand in. Values are NaN where the log says null."""

    __slots__ = ("rows", "values")

    def __init__(self) -> None:
        self.rows, self.values = array("q"), array("d")


class LogReader:
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
        self.columns: dict[str, Quantity] = {}
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
        for start in range(0, len(lines), CHUNK):
            chunk = lines[start : start + CHUNK]
            if self.document is DIAGNOSIS or not self._take_together(chunk):
                for line in chunk:
                    self._take(line)

    def _take_together(self, lines: Sequence[bytes]) -> bool:
        """Take lines of metrics.jsonl as `_take` does one after the other, in a third of the time; take none, and
        return False, where one of them is not what it should be."""
        text = b"\n".join(lines)
        if text[:1] != b"{" or text[-1:] != b"}" or text.count(b"}\n{") != len(lines) - 1:
            return False
        try:  # a line break inside a text is no JSON, so each row is a line
            rows = from_json(b"[" + text.replace(b"\n", b",\n") + b"]", allow_inf_nan=False)
        except ValueError:
            return False
        given = _columns(rows)
        if len(rows) != len(lines) or not all(
            len(given.get(name, ())) == len(rows) and set(map(type, given[name])) == {int} and min(given[name]) >= 0
            for name in ("epoch", "step")
        ):
            return False
        columns = {}
        for name, there in given.items():
            values = _floats(there)
            if values is None:
                return False
            columns[name] = values
        last = self.x["step"][-1] if self.x["step"] else -math.inf
        before = np.maximum.accumulate(np.concatenate([[last], columns["step"][:-1]]))
        kept = columns["step"] > before
        numbers = len(self.x["step"]) + np.cumsum(kept) - 1
        for name, values in columns.items():
            whole = len(values) == len(rows)
            own = np.arange(len(rows)) if whole else np.array([i for i, row in enumerate(rows) if name in row])
            values, own = values[kept[own]], numbers[own][kept[own]]
            if name in X:
                x = np.full(int(kept.sum()), np.nan)
                x[own - len(self.x[name])] = values
                self.x[name].frombytes(x.tobytes())
            elif len(values) and (quantity := self._quantity(name)):
                quantity.rows.frombytes(own.astype("q").tobytes())
                quantity.values.frombytes(values.tobytes())
        for name in set(X) - columns.keys():
            self.x[name].extend([math.nan] * int(kept.sum()))
        return True

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
            if quantity := self._quantity(name):
                quantity.rows.append(number)
                quantity.values.append(_number(value))

    def _quantity(self, name: str) -> Quantity | None:
        """The column of that name, a new one for a new name; None where there are too many."""
        if name not in self.columns and len(self.columns) < MAX_COLUMNS:
            self.columns[name] = Quantity()
        return self.columns.get(name)


def _columns(rows: Sequence[dict[str, Any]]) -> dict[str, Sequence[Any]]:
    """The values of each key, in the order of the rows that have it."""
    names = list(rows[0])
    if len(names) > 1 and sum(map(len, rows)) == len(names) * len(rows):
        with suppress(KeyError):  # all have the same keys, as nearly always
            return dict(zip(names, zip(*map(itemgetter(*names), rows), strict=True), strict=True))
    return {name: [row[name] for row in rows if name in row] for name in dict.fromkeys(chain.from_iterable(rows))}


def _floats(values: Sequence[Any]) -> npt.NDArray[np.float64] | None:
    """Finite numbers and null as floats, NaN for null; None if anything else is among them."""
    types = set(map(type, values))
    if not types <= NUMBERS:
        return None
    if int in types:
        whole = values if types == {int} else [value for value in values if type(value) is int]
        if max(whole) > LARGEST or min(whole) < -LARGEST:
            return None
    numbers = np.array(values, np.float64)
    infinite = np.isinf(numbers) if type(None) in types else ~np.isfinite(numbers)
    return None if infinite.any() else numbers


def _flat(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The measured values of a row; those of layers as `gradient_norm of dense_1`, in the order of the layers."""
    for name, value in row.items():
        if isinstance(value, dict) and name == "layers":
            for layer, own in value.items():
                yield from ((f"{quantity} of {layer}", number) for quantity, number in own.items())
        elif name not in X and (value is None or isinstance(value, int | float)):
            yield name, value


def _number(value: Any) -> float:
    """A finite number, else NaN. A key that the schema does not know may be anything."""
    try:
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else math.nan
    except OverflowError:
        return math.nan
