"""The rows of a sheet of an .xlsx file, and what stands above its header. openpyxl reads the cells."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.data.files.layout import Layout, named
from backprop_cli.data.files.opened import check_size
from backprop_cli.data.files.parquet import CELL, one_line
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import beyond, bound, open_zip

#: what a formula that failed leaves in its cell: no value
_ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")
_MAX_CELLS = 50_000_000  # of a sheet, empty ones too: one cell in the last corner makes 17 thousand millions
_LOOKED_AT = 50  # rows that are not empty, for a guess


@dataclass(frozen=True)
class Row:
    """A row that is not empty: its cells up to the last one with a value, and how many rows stand above it."""

    above: int
    cells: list[Any]

    @property
    def filled(self) -> int:
        """How many cells have a value."""
        return len(self.cells) - self.cells.count(None)


def sheet(path: Path, layout: Layout) -> tuple[list[str], list[list[Any]]]:
    """The names of columns and the rows of a sheet, each of the same length. Raises DataError, OptionError."""
    rows = list(_rows(path, layout.query, layout.skip_rows))
    width = max(len(row.cells) for row in rows)
    check_size(path, len(rows) * width * CELL)
    even = [(row.cells + [None] * width)[:width] for row in rows]
    if not layout.header:
        return [str(i) for i in range(width)], even
    _check_header(path, even)
    return _names(even[0]), even[1:]


def first_rows(path: Path, query: str | None, skip: int | None) -> tuple[int, list[list[str]]]:
    """How many rows stand above the header, counted where `skip` does not say it, and the first rows from there on as
    text. Raises DataError, OptionError."""
    rows = []
    for row in _rows(path, query, skip or 0):
        rows.append(row)
        if len(rows) == _LOOKED_AT:
            break
    title = _titles(rows) if skip is None else 0
    below = rows[title:]
    width = max(len(row.cells) for row in below)
    texts = [["" if cell is None else str(cell) for cell in (row.cells + [None] * width)[:width]] for row in below]
    return (skip or 0) if not title else rows[title].above, texts


def has(path: Path, layout: Layout, columns: Collection[str]) -> bool:
    """Whether a sheet read with this layout has columns of these names. Raises DataError, OptionError."""
    _, rows = first_rows(path, layout.query, layout.skip_rows)
    names = _names(rows[0]) if layout.header else map(str, range(len(rows[0])))
    return {*names} >= {*columns}


def _names(cells: Sequence[Any]) -> list[str]:
    return named(["" if cell is None else str(cell) for cell in cells])


def _titles(rows: Sequence[Row]) -> int:
    """How many of the first rows are titles and not of the table: less than half as many values as columns, or fewer
    with an empty row below."""
    width = max(row.filled for row in rows)
    for i, row in enumerate(rows[:-1]):
        apart = row.filled < width and rows[i + 1].above > row.above + 1
        if not apart and row.filled * 2 >= width:
            return i
    return 0


def _rows(path: Path, query: str | None, skip: int) -> Iterator[Row]:
    """The rows of a sheet that are not empty, `skip` of all left out. Raises DataError, OptionError."""
    try:
        import openpyxl
    except ImportError:
        raise DataError(f"{path}: reading Excel files needs openpyxl: pip install 'backprop-cli[excel]'") from None
    try:
        with open_zip(path):  # whether it unpacks to too much
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        with closing(book):
            yield from _filled(path, book, query, skip)
    except DataError:
        raise
    except Exception as error:  # whatever a damaged archive or its XML raise
        raise DataError(f"{path}: not an .xlsx file, or a damaged one; save it again ({one_line(error)})") from error


def _filled(path: Path, book: Any, query: str | None, skip: int) -> Iterator[Row]:
    if query is not None and query not in book.sheetnames:
        raise OptionError(f"{path}: no sheet {query!r}; expected one of {', '.join(book.sheetnames)}")
    chosen = book[query] if query is not None else book.worksheets[0]
    looked_at, empty = 0, True
    for above, row in enumerate(chosen.iter_rows(min_row=1 + skip, values_only=True), skip):
        looked_at += len(row)
        if looked_at > bound(_MAX_CELLS):
            most = f"{bound(_MAX_CELLS):,} cells, which is what bp looks at"
            raise DataError(f"{path}: the sheet {chosen.title!r} has more than {most}; {beyond(_MAX_CELLS)}")
        cells = [None if value in _ERRORS else value for value in row]
        while cells and cells[-1] is None:
            cells.pop()
        if cells:
            empty = False
            yield Row(above, cells)
    if empty:
        raise DataError(f"{path}: the sheet {chosen.title!r} is empty; name another: dataset.query: SHEET")


def _check_header(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Raise DataError where the first row of a sheet looks like a title above the header."""
    first, width = [value for value in rows[0] if value is not None], len(rows[0])
    full = next((row for row in rows[1:] if None not in row), None)
    if full is not None and len(first) * 2 < width and all(isinstance(value, str) for value in full):
        raise DataError(
            f"{path}: the first row of the sheet names {len(first)} of {width} columns: {first[0]!r:.60}; if the names "
            f"are {', '.join(map(str, full))!r:.80}, set dataset.skip_rows to the rows above, else name all columns"
        )
