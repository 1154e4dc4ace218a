"""The values of a column: numbers and dates as people write them, bytes that are text, quotes that are not closed."""

from __future__ import annotations

import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from backprop_cli.data.files.layout import MARKERS, MISSING, Layout, plain_number
from backprop_cli.data.files.marks import possible_dates
from backprop_cli.data.files.moments import PEEK, hours
from backprop_cli.errors import DataError

#: words for no and yes
BOOLEANS = (
    ("no", "yes"), ("false", "true"), ("n", "y"), ("f", "t"), ("nein", "ja"), ("off", "on"), ("non", "oui"), ("0", "1"),
)  # fmt: skip
_SIGNS = "€$£¥₹₽¢"
_DECORATED = re.compile(
    rf"[+\-−(]?\s*[{_SIGNS}]?\s*[+\-−]?(\d[\d.,'’_ \u00a0\u202f]*|[.,]\d+)([eE][+-]?\d+)?\s*[%‰{_SIGNS})]*"
)
_WITH_UNIT = re.compile(r"[+\-−]?\d[\d.,]*\s*(?P<unit>[^\W\d_]{1,5}(/[^\W\d_]{1,3})?[²³]?|°[CF]?|\"|\')")
_FEWEST_WITH_UNIT = 3  # different values: 2 doors and 4 doors may be kinds of cars
LARGEST = (2 - 2**-23) * 2.0**127  # of float32
_WHOLE = 2**53  # whole numbers beyond it are not all floats


def is_number(text: str) -> bool:
    """Whether Python reads it as one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def texts_of_bytes(column: Any, origin: str) -> Any:
    """An Arrow column of bytes as text, others as they are. Raises DataError with the row that is not UTF-8."""
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind)):
        return column
    decoded = []
    for row, value in enumerate(column.to_pylist(), 1):
        try:
            decoded.append(None if value is None else value.decode())
        except UnicodeDecodeError:
            raise DataError(
                f"{origin}, row {row}: {value[:20]!r} is not UTF-8 text; expected text or numbers"
            ) from None
    return pa.chunked_array([pa.array(decoded, pa.string())])


def as_written(column: Any, layout: Layout) -> Any:
    """An Arrow column of text as int64 or float64 if each value is a number in the layout's writing, as hours if each
    is a time, and one of decimals as float64; else as it is."""
    import pyarrow as pa

    if pa.types.is_decimal(column.type):  # of databases; whole ones are integers there
        return column.cast(pa.float64())
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)) or not len(column):
        return column
    import pyarrow.compute as pc

    pattern = plain_number(layout.decimal, layout.thousands)

    def cleaned(part: Any) -> Any:
        part = pc.replace_substring(pc.utf8_trim_whitespace(part), "\u2212", "-")
        missing = pc.is_in(part, pa.array([*MISSING, *layout.na_values], part.type))
        return pc.if_else(missing, pa.scalar(None, part.type), part)

    for part in (column.slice(0, PEEK), column):
        text = cleaned(part)
        if pc.all(pc.match_substring_regex(text, pattern)).as_py() is False:
            return hours(column, cleaned)
    if text.null_count == len(text):
        return pa.chunked_array([pa.nulls(len(text))]) if len(text) != column.null_count else column
    if layout.thousands:
        text = pc.replace_substring(text, layout.thousands, "")
    whole = pc.all(pc.match_substring_regex(text, r"^[+\-]?\d{1,18}$")).as_py()
    text = pc.replace_substring_regex(pc.replace_substring(text, layout.decimal, "."), r"^\+", "")
    return text.cast(pa.int64() if whole else pa.float64())


def swallowed(table: Any, path: Path, delimiter: str, width: int) -> None:
    """Raise DataError for a value that has taken in rows, because its quote is not closed where it should be.

    Its lines between the first and the last have just as many delimiters as a row, and it is one of few such values.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in table.column_names:
        column = table[name]
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            continue
        lines = pc.count_substring(column, "\n")
        many = pc.greater(lines, 1)
        count = pc.sum(pc.greater(lines, 0)).as_py() or 0
        if not count or count > max(1, len(column) // 20) or not pc.any(many).as_py():
            continue
        row = pc.index(pc.fill_null(many, False), True).as_py()
        inner = column[row].as_py().splitlines()[1:-1]
        if inner and all(line.count(delimiter) == width - 1 for line in inner):
            raise DataError(
                f"{path}, row {row + 1}, column {name!r}: a value of {len(inner) + 2} lines that look like rows: "
                f"{column[row].as_py()[:40]!r}; close the quote that opens it, or take it away"
            )


def looks_like_numbers(values: Collection[str]) -> bool:
    """Whether most of some different values are numbers with signs or marks of some kind, or all with one unit."""
    matches = [_WITH_UNIT.fullmatch(value.strip()) for value in values]
    units = {match["unit"] if match else "" for match in matches}
    if len(matches) >= _FEWEST_WITH_UNIT and len(units) == 1 and matches[0]:
        return True
    return sum(bool(_DECORATED.fullmatch(value.strip())) for value in values) * 2 > len(values)


def refuse_numbers(
    values: Collection[str],
    column: Any,
    name: str,
    path: Path,
    layout: Layout,
    otherwise: str = "list the column under dataset.categorical",
) -> None:
    """Raise DataError for a column of text whose values look like numbers or dates: `$9.00`, `45%`, `n/k` in between.

    It names the first value that kept the column from being one of numbers, and what would help.
    """
    looked = [value.strip() for value in values]
    forms = possible_dates(looked[:200])
    if len(forms) > 1 and len(possible_dates(looked)) > 1:
        raise DataError(
            f"{path}, row 1, column {name!r}: {looked[0]!r} is a date, but of which form? Set dataset.dates: "
            f"{{{name}: '{forms[0]}'}} or {{{name}: '{forms[1]}'}}, or {otherwise}"
        )
    like = sum(bool(_DECORATED.fullmatch(value)) for value in looked)
    if looks_like_numbers(looked):
        _refuse(
            column,
            name,
            path,
            layout,
            "looks like a number" if like in (0, len(looked)) else "among numbers",
            otherwise,
        )


def refuse_words(column: Any, name: str, path: Path, layout: Layout) -> None:
    """Raise DataError for the first value of a column of text that is no number, where training saw numbers."""
    _refuse(column, name, path, layout, "where numbers are expected", "give the column that training had")


def _refuse(column: Any, name: str, path: Path, layout: Layout, why: str, otherwise: str) -> None:
    row, value, remedy = no_number(column, layout)
    raise DataError(f"{path}, row {row}, column {name!r}: {value!r} {why}; {remedy}, or {otherwise}")


def keep_text(name: str) -> str:
    """How a column is kept from being read as numbers."""
    return f"dataset.columns: {{{name}: {{type: category}}}} takes its values as categories"


def rounded(column: Any, name: str) -> str:
    """That whole numbers of a column are too large for floats to tell all of them apart; nothing where they are not."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return ""
    ends = pc.min_max(column).as_py()
    largest = max((ends["min"] or 0, ends["max"] or 0), key=abs)
    if not _WHOLE < abs(largest) <= LARGEST or largest != int(largest):
        return ""
    return f"numbers such as {largest:.17g} are rounded to 16 digits; if they are names, {keep_text(name)}"


def no_number(column: Any, layout: Layout) -> tuple[int, str, str]:
    """The first value of a column of text that is no plain number, with its row from 1, and what would help."""
    pattern = re.compile(plain_number(layout.decimal, layout.thousands))
    row, value = next(
        ((i, text) for i, text in enumerate(column.to_pylist(), 1) if text and not pattern.fullmatch(text.strip())),
        (1, column[0].as_py()),
    )
    return row, value, _remedy(str(value).strip())


def _remedy(value: str) -> str:
    if value in MARKERS or not re.search(r"\d", value):
        return f"repair it, set dataset.na_values: ['{value}'] if it stands for a missing value"
    if re.fullmatch(r"[+\-−]?\d{1,3}(,\d{3})+", value):
        return "set dataset.thousands: ',' if it is a whole number, dataset.decimal: ',' if it is a fraction"
    if re.search(r"[%‰]|[" + _SIGNS + "]", value):
        return "write the number alone, without the sign"
    if _WITH_UNIT.fullmatch(value):
        return "write the number alone, without the unit"
    if "," in value:
        return "set dataset.decimal and dataset.thousands to its marks"
    return "repair it"
