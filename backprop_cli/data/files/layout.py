"""The layout of a table in its file: what a guess or an option says of it, and the marks that every table may hold."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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
UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?|__index_level_\d+__")  # how pandas calls an index that it has saved
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
        """The character between columns: `delimiter`, or without one a tab for tsv, else a comma."""
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


def check_width(path: Path, columns: int) -> None:
    """Raise DataError for a table of more columns than anybody's has."""
    if columns > bound(MAX_COLUMNS):
        raise DataError(
            f"{path}: {columns:,} columns, expected at most {bound(MAX_COLUMNS):,}; save x and y as .npy, "
            f"which knows no columns; {beyond(MAX_COLUMNS, columns)}"
        )


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
