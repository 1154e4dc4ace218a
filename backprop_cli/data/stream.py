"""Rows that arrive one after the other, as through a pipe: CSV with a header, or JSON Lines. Memory stays constant.

Whatever has come is read at once, so that a row is answered as soon as it is there, and many rows together where they
come fast.
"""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from typing import Any

from backprop_cli.data.files.columns import repeated
from backprop_cli.data.files.layout import MISSING, Layout
from backprop_cli.data.schema import Schema
from backprop_cli.errors import DataError

AT_ONCE = 1 << 18  # bytes of one read
MAX_RECORD = 1 << 24  # bytes without the end of a row
NAME = "standard input"


class Stream:
    """The rows of an open file in blocks: where each begins, in words, and an Arrow table of strings or a list of
    dicts. `form` is csv or json, as its first character tells. Raises DataError."""

    def __init__(self, handle: int, schema: Schema) -> None:
        if schema.series is not None:
            raise DataError(f"{NAME}: rows of a series are put in order, so all of them are needed first; give a file")
        self._blocks = _blocks(handle)
        self._schema = schema
        self._first = next(self._blocks, "")
        if not self._first.strip():
            raise DataError(f"{NAME}: empty; expected CSV with a header, or JSON Lines")
        self.form = "json" if self._first.lstrip()[:1] in ("{", "[") else "csv"

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        read = self._json if self.form == "json" else self._csv
        done = 0
        for table in read():
            yield (f"{NAME} after row {done}" if done else NAME), table
            done += len(table)

    def _texts(self) -> Iterator[str]:
        yield self._first
        yield from self._blocks

    def _csv(self) -> Iterator[Any]:
        import pyarrow as pa

        layout = self._schema.table.layout if self._schema.table else Layout("csv")
        missing = {*MISSING, *layout.na_values}
        delimiter = _delimiter(self._first.split("\n", 1)[0], layout.delimiter)
        needed = set(self._schema.table.needed) if self._schema.table else set()
        names: list[str] = []
        line = 0
        for text in self._texts():
            rows = _rows(text, delimiter, line)
            if not names:
                names = [name.strip() for name in rows[0]]
                if layout.header or needed <= {*names}:
                    rows.pop(0)
                else:
                    names = [str(i) for i in range(len(names))]
                if (twice := repeated(names)) is not None:
                    raise DataError(f"{NAME}: two columns are called {twice!r}; rename one")
            wrong = next((i for i, row in enumerate(rows) if len(row) != len(names)), None)
            if wrong is not None:
                raise DataError(
                    f"{NAME}, row {line + wrong + 1}: {len(rows[wrong])} values, expected {len(names)}: "
                    f"{delimiter.join(rows[wrong])[:80]!r}"
                )
            line += len(rows)
            if rows:
                columns = zip(*rows, strict=True)
                yield pa.table(
                    {
                        name: pa.array([None if cell in missing else cell for cell in column], pa.string())
                        for name, column in zip(names, columns, strict=True)
                    }
                )

    def _json(self) -> Iterator[Any]:
        number = 0
        for text in self._texts():
            records: list[Any] = []
            for line in text.removesuffix("\n").split("\n"):  # strings may hold other signs that end a line
                number += 1
                if line.strip():
                    try:
                        record = json.loads(line)
                    except (ValueError, RecursionError) as error:
                        raise DataError(f"{NAME}:{number}: not JSON ({error}); expected one object a line") from None
                    records += record if isinstance(record, list) else [record]
            if not all(isinstance(record, dict) for record in records):
                raise DataError(f'{NAME}:{number}: expected objects such as {{"width": 1.5}}')
            if records:
                yield records


def _rows(text: str, delimiter: str, before: int) -> list[list[str]]:
    """The rows of whole lines, empty ones left out. Raises DataError."""
    rows: list[list[str]] = []
    try:
        rows += (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter) if row)
    except csv.Error:
        row = before + len(rows) + 1
        raise DataError(f"{NAME}, about row {row}: a value of more than 128 KiB; is a quote missing?") from None
    return rows


def _delimiter(head: str, usual: str | None) -> str:
    """What stands between the values: as in the training data, if the header has it."""
    return next((character for character in (usual, ",", "\t", ";", "|") if character and character in head), ",")


def _blocks(handle: int) -> Iterator[str]:
    """Texts that end where a row does. Raises DataError."""
    waiting, lines = b"", 0
    while True:
        try:
            piece = os.read(handle, AT_ONCE)
        except OSError as error:
            raise DataError(f"{NAME}: cannot be read: {error.strerror}") from None
        waiting += piece
        end = _end(waiting) if piece else len(waiting)
        if end:
            try:
                text = waiting[:end].decode("utf-8-sig" if not lines else "utf-8")
            except UnicodeDecodeError as error:
                line = lines + waiting[: error.start].count(b"\n") + 1
                raise DataError(f"{NAME}:{line}: byte {waiting[error.start]:#04x} is not UTF-8") from None
            lines += text.count("\n")
            waiting = waiting[end:]
            yield text
        if not piece:
            return
        if len(waiting) > MAX_RECORD:
            raise DataError(f"{NAME}: a row of more than {MAX_RECORD >> 20} MiB; is a quote not closed?")


def _end(data: bytes) -> int:
    """Where the last whole row ends: after a line end outside quotes; 0 if there is none."""
    end = data.rfind(b"\n") + 1
    while end and data.count(b'"', 0, end) % 2:
        end = data.rfind(b"\n", 0, end - 1) + 1
    return end
