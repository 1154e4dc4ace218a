from __future__ import annotations

import csv
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backprop_cli.registry import slot
from backprop_cli.runs.files import write_atomically
from backprop_cli.runs.plain import open_plain, read_plain
from backprop_cli.training.loggers.base import Logger, logger

MAX_BYTES = 1 << 30  # of a metrics.csv that is read again when its run goes on


@logger("csv", "CSVLogger")
class CSV(Logger):
    """metrics.csv in the run directory: a column for every number, a line for every row.

    When a run goes on, lines after its checkpoint are written again. A number that is measured later for the first
    time gets a column, empty in the lines before.
    """

    path: Path = slot()
    columns: list[str] = slot()

    def open(self, folder: Path, step: int) -> None:
        self.path, self.columns = folder / "metrics.csv", []
        kept = [row for row in self._rows() if int(row["step"]) <= step]
        self._write_all(kept)

    def _rows(self) -> list[dict[str, str]]:
        try:
            text = read_plain(self.path, MAX_BYTES).decode("utf-8")
        except FileNotFoundError:
            return []
        return list(csv.DictReader(io.StringIO(text, newline="")))

    def _write_all(self, rows: list[dict[str, Any]]) -> None:
        self.columns = list(dict.fromkeys([*self.columns, *(name for row in rows for name in row)]))
        lines = [_line([row.get(name) for name in self.columns]) for row in rows]
        write_atomically(self.path, ["".join([_line(self.columns), *lines]).encode() if rows else b""])

    def write(self, row: Mapping[str, Any]) -> None:
        if set(row) <= set(self.columns):
            with os.fdopen(open_plain(self.path, os.O_WRONLY | os.O_APPEND), "wb") as file:
                file.write(_line([row.get(name) for name in self.columns]).encode())
        else:
            self._write_all([*self._rows(), dict(row)])


def _line(cells: list[Any]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(["" if cell is None else cell for cell in cells])
    return text.getvalue()
