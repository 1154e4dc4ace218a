"""How numbers, dates and missing values are written in a table, judged by the cells of its columns.

The three are in one file because each needs the one before: what a missing value is, what a number looks like.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from backprop_cli.data.files.layout import MARKERS, NULL, Layout, plain_number

DATES = (
    "%d.%m.%Y", "%d.%m.%y", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y",
    "%d %b %Y", "%d %B %Y", "%d. %b %Y", "%d. %B %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%d-%b-%y", "%b %Y",
    "%B %Y", "%Y-%m", "%Y/%m", "%m/%Y",
)  # fmt: skip
TIMES = ("", " %H:%M", " %H:%M:%S", "T%H:%M", "T%H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
THOUSANDS = " \u00a0\u202f'’_"
_NUMBERLIKE = re.compile(r"[+\-−]?(\d[\d.,'’_ \u00a0\u202f]*|[.,]\d+)([eE][+-]?\d+)?")
_PLAIN = re.compile(r"[+-]?(\d{1,5}(\.\d*)?|\.\d+)([eE][+-]?\d+)?")


def with_marks(layout: Layout, columns: dict[str, list[str]], given: dict[str, Any]) -> Layout:
    """A layout with the decimal and thousands marks, signs of missing values and forms of dates of some cells by
    column; `given` are those that options say."""
    null = [NULL] if any(NULL in cells for cells in columns.values()) else []
    columns = {name: [cell for cell in cells if cell != NULL] for name, cells in columns.items()}
    decimal, thousands = _marks([cells for cells in columns.values() if _numeric(cells)], layout.separator)
    if given.get("decimal") is None and given.get("thousands") is None:
        layout = replace(layout, decimal=decimal, thousands=thousands)
    elif given.get("decimal") is None:
        layout = replace(layout, decimal="," if layout.thousands == "." else ".")
    if given.get("na_values") is None:
        layout = replace(layout, na_values=[*_markers(columns.values(), layout), *null])
    if given.get("dates") is None:
        layout = replace(layout, dates=_dates(columns))
    return layout


def numberlike(cell: str) -> bool:
    """Whether a cell is written like a number, with any marks."""
    return bool(_NUMBERLIKE.fullmatch(cell.strip()))


def _numeric(cells: Sequence[str]) -> bool:
    """Whether most of a column is written like numbers, and the rest stands for missing ones."""
    numbers = sum(map(numberlike, cells))
    return numbers * 2 > len(cells) and all(numberlike(cell) or cell in MARKERS for cell in cells)


def _marks(columns: Sequence[Sequence[str]], delimiter: str) -> tuple[str, str | None]:
    """Decimal and thousands mark. `1,5` and `1.234,5` are clear, and so is what stands in one file with them;
    1,234 alone is one thousand where commas part the columns, and nothing otherwise."""
    cells = [re.sub(r"^[+\-−]|[eE].*$", "", cell) for cells in columns for cell in cells if numberlike(cell)]
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
    formats = [date + time for date in DATES for time in TIMES if not time or "%d" in date]
    fitting = [form for form in formats if all(_is_date(cell, form) for cell in different)]
    return list({form.replace("%B", "%b"): form for form in reversed(fitting)}.values())[::-1]  # May is both


def _is_date(cell: str, form: str) -> bool:
    try:
        return datetime.strptime(cell, form).year > 0
    except ValueError:
        return False
