"""Guesses of a table's layout from its file, where options do not say it.

A guess depends on nothing but the file: the encoding on all its bytes, the rest on its first 256 KiB. Guesses are
written into the run's config, where they can be seen and changed. They are in one file because each needs the one
before: the decimal mark what the delimiter is, a missing value what a number looks like.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from backprop_cli.data.files import excel, stored
from backprop_cli.data.files.layout import MISSING, Layout, check_width, named
from backprop_cli.data.files.marks import numberlike, with_marks
from backprop_cli.data.files.opened import Scan, scan
from backprop_cli.errors import DataError

DELIMITERS = ("\t", ";", "|", ",")  # where two would do, the one that is rarer in texts and numbers
_LOOKED_AT = 1000  # rows


def guess(path: Path, form: str, given: dict[str, Any], named: Collection[str] = ()) -> Layout:
    """The layout of a table: what is given, the rest guessed. `named` are columns that its header must have.

    Raises DataError for a file that is not text, or is empty.
    """
    layout = Layout(form, **{key: value for key, value in given.items() if value is not None})
    if layout.delimited:
        layout, columns = _of_text(path, layout, given, named)
    else:
        if form == "xlsx":
            layout = _of_sheet(path, layout, given, named)
        columns = _written(stored.texts(path, layout, _LOOKED_AT))
    return with_marks(layout, columns, given)


def _of_text(
    path: Path, layout: Layout, given: dict[str, Any], named: Collection[str]
) -> tuple[Layout, dict[str, list[str]]]:
    """Encoding, delimiter, header and the lines above it, and the cells of each column."""
    scanned = scan(path, given.get("encoding"))
    for line in scanned.sample.splitlines():
        check_width(path, max(map(line.count, [given["delimiter"]] if given.get("delimiter") else DELIMITERS)) + 1)
    rows = _Rows(scanned, given.get("skip_rows"), given.get("delimiter"), layout.form)
    if not rows.rows:
        raise DataError(f"{path}: empty; expected a line with the names of columns, then rows")
    header = given.get("header")
    header = _has_header(rows.rows, named) if header is None else header
    layout = replace(layout, encoding=scanned.encoding, delimiter=rows.delimiter, skip_rows=rows.skip, header=header)
    return layout, _columns(rows.rows, header)


def _of_sheet(path: Path, layout: Layout, given: dict[str, Any], named: Collection[str]) -> Layout:
    """Whether there is a header, and how many rows of titles stand above it."""
    above, rows = excel.first_rows(path, layout.query, given.get("skip_rows"))
    header = given.get("header")
    if header is None and given.get("skip_rows") is None and not _has_header(rows, named):
        above, rows = excel.first_rows(path, layout.query, 0)  # what stands above is no title, if no names are below
    return replace(layout, skip_rows=above, header=_has_header(rows, named) if header is None else header)


def fitting(path: Path, form: str, like: Layout, needed: Collection[str]) -> Layout:
    """The layout of another file of the same columns: the same, if they are found with it, else what it looks like.

    A file may be written in another encoding. Raises DataError.
    """
    if form not in ("csv", "tsv"):
        layout = replace(like, form=form, query=like.query if like.form == form else None)
        if form != "xlsx" or (like.form == form and excel.has(path, layout, needed)):
            return layout
        return _of_sheet(path, layout, {}, needed)
    if like.form in ("csv", "tsv"):
        try:
            scanned = scan(path, like.encoding)
        except DataError:
            scanned = scan(path)
        layout = replace(like, form=form, delimiter=like.separator, encoding=scanned.encoding)
        rows = _parsed(
            "".join(scanned.sample.splitlines(keepends=True)[like.skip_rows :]), layout.separator, False
        ).rows
        names = set(named(rows[0]) if like.header else map(str, range(len(rows[0])))) if rows else set()
        if names >= set(needed):
            return layout
    layout = guess(path, form, {}, needed)
    return replace(layout, dates={**like.dates, **layout.dates})


class _Rows:
    """The first rows of a text, without what stands above them: the delimiter that makes them even, lines to skip."""

    def __init__(self, scanned: Scan, skip: int | None, delimiter: str | None, form: str) -> None:
        lines = scanned.sample.splitlines(keepends=True)
        if scanned.cut:
            lines = lines[:-1]
        start = skip or 0
        if skip is None:
            while start < len(lines) and not lines[start].strip():
                start += 1
            named = re.fullmatch(r"sep=(.)\s*", lines[start]) if start < len(lines) else None
            if named:  # as Excel has it
                delimiter, start = delimiter or named[1], start + 1
        body = "".join(lines[start:])
        best = max(
            (_parsed(body, candidate, scanned.cut) for candidate in ([delimiter] if delimiter else DELIMITERS)),
            key=lambda parsed: parsed.share,
        )
        if not delimiter and best.width < 2:
            best = _parsed(body, "\t" if form == "tsv" else ",", scanned.cut)
        above = best.above() if skip is None else 0
        self.delimiter = best.delimiter
        self.skip = start + (best.starts[above] if above else 0)
        self.rows = best.rows[above:]


@dataclass(frozen=True)
class _Parsed:
    delimiter: str
    rows: list[list[str]]
    starts: list[int]  # lines before each row
    width: int
    share: float  # of the rows that have this width

    def above(self) -> int:
        """How many rows are a title, or comments, and not of the table: they are narrower than all that follow."""
        widths = [len(row) for row in self.rows]
        first = widths.index(self.width) if self.rows else 0
        comment = [row[0].startswith("#") for row in self.rows]  # one below the table is refused by its line
        even = all(width == self.width or comment[first + i] for i, width in enumerate(widths[first:]))
        title = all(
            comment[i]
            or len(self.rows[i]) < self.width - 1
            or (len(self.rows[i]) == 1 and self.starts[first] > i + 1 + self.starts[0])  # a blank line follows
            for i in range(first)
        )
        return first if even and title else 0


def _parsed(text: str, delimiter: str, cut: bool) -> _Parsed:
    rows, starts, before = [], [], 0
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            if row:
                rows.append(row)
                starts.append(before)
            before = reader.line_num
    except csv.Error:  # a value longer than any should be: reading reports it
        pass
    if cut and len(rows) > 1:
        rows.pop()
    counts = Counter(len(row) for row in rows)
    width, most = max(counts.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
    return _Parsed(delimiter, rows, starts, width, most / len(rows) if rows and width > 1 else 0.0)


def _has_header(rows: Sequence[Sequence[str]], named: Collection[str]) -> bool:
    """Whether the first row names the columns: it holds those that are asked for, or it is not like the others."""
    first, rest = rows[0], rows[1:_LOOKED_AT]
    if named and {cell.strip() for cell in first} >= set(named):
        return True
    numbers = [numberlike(cell) for cell in first]
    if not any(numbers) or not rest:
        return not all(numbers)
    wordy = [i for i, cell in enumerate(first) if cell.strip() and not numbers[i]]
    return any(all(len(row) <= i or row[i] != first[i] for row in rest) for i in wordy)


def _columns(rows: Sequence[Sequence[str]], header: bool) -> dict[str, list[str]]:
    names = named(rows[0]) if header else [str(i) for i in range(len(rows[0]))]
    body = rows[1 if header else 0 :][:_LOOKED_AT]
    return _written({name: [row[i] for row in body if len(row) > i] for i, name in enumerate(names)})


def _written(columns: dict[str, list[str]]) -> dict[str, list[str]]:
    """The cells of each column that are not missing, without the spaces around them."""
    return {name: [text for cell in cells if (text := cell.strip()) not in MISSING] for name, cells in columns.items()}
