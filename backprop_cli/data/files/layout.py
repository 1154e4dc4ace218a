"""The layout of a table in its file: options that are given, guesses from its text, and messages about both.

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
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from backprop_cli.data.files.opened import Scan, scan
from backprop_cli.errors import DataError
from backprop_cli.untrusted.limits import beyond, bound

#: what stands for a missing value in every table, as pandas has it
MISSING = (
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
)  # fmt: skip
#: what people and spreadsheets write beside numbers where one is missing
MARKERS = (
    "?", "-", "--", "---", ".", "..", "...", "*", "none", "NONE", "missing", "unknown", "k.A.", "n.a.", "N.A.", "na",
    "Na", "nil", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!",
)  # fmt: skip
NULL = "\\N"  # of MySQL and PostgreSQL, in a column of any kind
DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%b %d, %Y", "%B %d, %Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
DELIMITERS = ("\t", ";", "|", ",")  # where two would do, the one that is rarer in texts and numbers
UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?|__index_level_\d+__")  # how pandas calls an index that it has saved
THOUSANDS = " \u00a0\u202f'’_"
_NUMBERLIKE = re.compile(r"[+\-−]?(\d[\d.,'’_ \u00a0\u202f]*|[.,]\d+)([eE][+-]?\d+)?")
_PLAIN = re.compile(r"[+-]?(\d{1,5}(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_LOOKED_AT = 1000  # rows
MAX_COLUMNS = 100_000


@dataclass(frozen=True)
class Layout:
    """How a table lies in its file."""

    form: str
    delimiter: str | None = None
    header: bool = True
    encoding: str = "utf-8"
    decimal: str = "."
    thousands: str | None = None
    na_values: list[str] = field(default_factory=list)  # beside MISSING
    skip_rows: int = 0
    dates: dict[str, str] = field(default_factory=dict)  # column -> format, as strptime has it
    query: str | None = None

    @property
    def separator(self) -> str:
        return self.delimiter or ("\t" if self.form == "tsv" else ",")

    @property
    def delimited(self) -> bool:
        """Whether it is a text with a line a row."""
        return self.form in ("csv", "tsv")


def plain_number(decimal: str, thousands: str | None) -> str:
    """The pattern of a number in this writing, whole."""
    point, whole = re.escape(decimal), r"\d+"
    if thousands:
        whole = rf"(?:\d+|\d{{1,3}}(?:{re.escape(thousands)}\d{{3}})+)"
    return rf"^[+\-]?(?:{whole}(?:{point}\d*)?|{point}\d+)(?:[eE][+-]?\d+)?$"


def guess(path: Path, form: str, given: dict[str, Any], named: Collection[str] = ()) -> Layout:
    """The layout of a table: what is given, the rest guessed. `named` are columns that its header must have.

    Raises DataError for a file that is not text, or is empty.
    """
    layout = Layout(form, **{key: value for key, value in given.items() if value is not None})
    if not layout.delimited:
        return layout
    scanned = scan(path, given.get("encoding"))
    for line in scanned.sample.splitlines():
        check_width(path, max(map(line.count, [given["delimiter"]] if given.get("delimiter") else DELIMITERS)) + 1)
    layout = replace(layout, encoding=scanned.encoding)
    rows = _Rows(scanned, given.get("skip_rows"), given.get("delimiter"), form)
    if not rows.rows:
        raise DataError(f"{path}: empty; expected a line with the names of columns, then rows")
    header = given.get("header")
    header = _has_header(rows.rows, named) if header is None else header
    layout = replace(layout, delimiter=rows.delimiter, skip_rows=rows.skip, header=header)
    columns = _columns(rows.rows, header)
    wanted = [cells for name, cells in columns.items() if _numeric(cells)]
    decimal, thousands = _marks(wanted, layout.separator)
    if given.get("decimal") is None and given.get("thousands") is None:
        layout = replace(layout, decimal=decimal, thousands=thousands)
    elif given.get("decimal") is None:
        layout = replace(layout, decimal="," if layout.thousands == "." else ".")
    if given.get("na_values") is None:
        null = [NULL] if any(cell.strip() == NULL for row in rows.rows[:_LOOKED_AT] for cell in row) else []
        layout = replace(layout, na_values=[*_markers(columns.values(), layout), *null])
    if given.get("dates") is None:
        layout = replace(layout, dates=_dates(columns))
    return layout


def check_width(path: Path, columns: int) -> None:
    """Raise DataError for a table of more columns than anybody's has."""
    if columns > bound(MAX_COLUMNS):
        raise DataError(
            f"{path}: {columns:,} columns, expected at most {bound(MAX_COLUMNS):,}; save x and y as .npy, "
            f"which knows no columns; {beyond(MAX_COLUMNS, columns)}"
        )


def fitting(path: Path, form: str, like: Layout, needed: Collection[str]) -> Layout:
    """The layout of another file of the same columns: the same, if they are found with it, else what it looks like.

    A file may be written in another encoding. Raises DataError.
    """
    if form not in ("csv", "tsv"):
        return replace(like, form=form, query=like.query if like.form == form else None)
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


def named(cells: Sequence[str]) -> list[str]:
    """The names in a header; one that is empty is called as pandas calls it."""
    names = [name.strip() for name in cells]
    known = set(names)
    return [name or f"Unnamed: {i}" + ".1" * (f"Unnamed: {i}" in known) for i, name in enumerate(names)]


def said(path: Path, layout: Layout, given: dict[str, Any]) -> list[str]:
    """What was guessed and is not as usual, in a line."""
    usual = Layout(layout.form)
    shown = {
        "encoding": layout.encoding,
        "delimiter": layout.separator if layout.separator != usual.separator else None,
        "decimal": layout.decimal,
        "thousands": layout.thousands,
        "na_values": layout.na_values,
        "skip_rows": layout.skip_rows,
        "header": layout.header,
        "dates": layout.dates,
        "query": layout.query,
    }
    new = [f"{key}: {_shown(value)}" for key, value in shown.items()
           if given.get(key) is None and value not in (None, getattr(usual, key))]  # fmt: skip
    return [f"{path}: read with {', '.join(new)} (guessed; set them under dataset to change that)"] if new else []


def _shown(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else str(value)


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


def _number(cell: str) -> bool:
    return bool(_NUMBERLIKE.fullmatch(cell.strip()))


def _has_header(rows: Sequence[Sequence[str]], named: Collection[str]) -> bool:
    """Whether the first row names the columns: it holds those that are asked for, or it is not like the others."""
    first, rest = rows[0], rows[1:_LOOKED_AT]
    if named and {cell.strip() for cell in first} >= set(named):
        return True
    numbers = [_number(cell) for cell in first]
    if not any(numbers) or not rest:
        return not all(numbers)
    wordy = [i for i, cell in enumerate(first) if cell.strip() and not numbers[i]]
    return any(all(len(row) <= i or row[i] != first[i] for row in rest) for i in wordy)


def _columns(rows: Sequence[Sequence[str]], header: bool) -> dict[str, list[str]]:
    """The cells of each column that are not missing, without the spaces around them."""
    names = named(rows[0]) if header else [str(i) for i in range(len(rows[0]))]
    body = rows[1 if header else 0 :][:_LOOKED_AT]
    return {
        name: [cell for row in body if len(row) > i and (cell := row[i].strip()) not in (*MISSING, NULL)]
        for i, name in enumerate(names)
    }


def _numeric(cells: Sequence[str]) -> bool:
    """Whether most of a column is written like numbers, and the rest stands for missing ones."""
    numbers = sum(map(_number, cells))
    return numbers * 2 > len(cells) and all(_number(cell) or cell in MARKERS for cell in cells)


def _marks(columns: Sequence[Sequence[str]], delimiter: str) -> tuple[str, str | None]:
    """Decimal and thousands mark. `1,5` and `1.234,5` are clear, and so is what stands in one file with them;
    1,234 alone is one thousand where commas part the columns, and nothing otherwise."""
    cells = [re.sub(r"^[+\-−]|[eE].*$", "", cell) for cells in columns for cell in cells if _number(cell)]
    text = "\n".join(cells)

    def any_of(pattern: str) -> bool:
        return re.search(rf"^{pattern}$", text, re.MULTILINE) is not None

    groups = r"[1-9]\d{0,2}(?:%s\d{3})"
    decimals, grouped = {}, {}
    for mark in ".,":
        other = re.escape("," if mark == "." else ".")
        point, spaces = re.escape(mark), f"[{THOUSANDS}]"
        alone = rf"(?:\d*{point}(?:\d{{1,2}}|\d{{4,}})?|(?:0\d*|\d{{4,}}|){point}\d{{3}})"
        after = rf"(?:{groups % other}+|{groups % spaces}+){point}\d*"
        decimals[mark] = any_of(alone) or any_of(after)
        grouped[mark] = any_of(rf"{groups % point}{{2,}}") or any_of(rf"{groups % point}+{other}\d*")
    comma = (decimals[","] or grouped["."]) and not (decimals["."] or grouped[","])
    decimal = "," if comma else "."
    for mark in THOUSANDS:
        if any_of(groups % mark + r"+(?:[.,]\d*)?"):
            return decimal, mark
    if comma:
        return decimal, "." if any_of(groups % r"\." + r"+(?:,\d*)?") else None
    certain = grouped[","] or (delimiter == "," and not decimals[","])
    return decimal, "," if certain and any_of(groups % "," + r"+(?:\.\d*)?") else None


def _markers(columns: Collection[Sequence[str]], layout: Layout) -> list[str]:
    """What stands among numbers where one is missing."""
    pattern = re.compile(plain_number(layout.decimal, layout.thousands))
    marks: set[str] = set()
    for cells in columns:
        if _numeric(cells):
            marks.update(cell for cell in cells if cell in MARKERS and not pattern.fullmatch(cell))
    return sorted(marks)


def _dates(columns: dict[str, list[str]]) -> dict[str, str]:
    """The format of each column of dates that only one fits. Arrow knows 2024-01-31 by itself."""
    forms = {}
    for name, cells in columns.items():
        formats = possible_dates(cells)
        if len(formats) == 1:
            forms[name] = formats[0]
    return forms


def possible_dates(cells: Sequence[str]) -> list[str]:
    """Every format that all cells have; 03/04/2024 has two."""
    if not cells or not all(re.search(r"\d", cell) and len(cell) <= 30 for cell in cells):
        return []
    if _PLAIN.fullmatch(cells[0]) or all(re.fullmatch(r"\d{8}", cell) for cell in cells):
        return []  # these look like numbers
    different = list(dict.fromkeys(cells))[:200]
    formats = [date + time for date in DATES for time in TIMES]
    return [form for form in formats if all(_is_date(cell, form) for cell in different)]


def _is_date(cell: str, form: str) -> bool:
    try:
        return datetime.strptime(cell, form).year > 0
    except ValueError:
        return False
