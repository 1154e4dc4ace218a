"""Reading chosen columns of a table with Arrow."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from backprop_cli.data.files import stored
from backprop_cli.data.files.layout import MISSING, Layout, check_width, named
from backprop_cli.data.files.moments import days
from backprop_cli.data.files.opened import arrow_input, scan, text_of
from backprop_cli.data.files.values import as_written, is_number, swallowed, texts_of_bytes
from backprop_cli.errors import DataError, suggest


def column_names(path: Path, layout: Layout) -> list[str]:
    """The names of all columns; 0, 1, … where the file has no header. Raises DataError."""
    return first_rows(path, layout, 0)[0]


def first_rows(path: Path, layout: Layout, count: int) -> tuple[list[str], list[list[str]]]:
    """The names of all columns, and the first rows of a text as they are written. Raises DataError."""
    if not layout.delimited:
        return stored.names(path, layout), []
    with text_of(path, layout.encoding) as file:
        try:
            for _ in range(layout.skip_rows):
                next(file, None)
            rows = (row for row in csv.reader(file, delimiter=layout.separator) if row)
            head = [row for row, _ in zip(rows, range(count + 1), strict=False)]
        except csv.Error as error:
            raise DataError(f"{path}, first line: {error}; expected the names of columns") from error
        except UnicodeError as error:
            raise DataError(f"{path}: not {layout.encoding.upper()}; set dataset.encoding") from error
    if not head:
        raise DataError(f"{path}: empty; expected a line with the names of columns, then rows")
    check_width(path, len(head[0]))
    names = named(head[0]) if layout.header else [str(i) for i in range(len(head[0]))]
    twice = repeated(names)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}; rename one")
    return names, head[int(layout.header) :]


def repeated(names: Sequence[str]) -> str | None:
    """The first name that was there before; None where all are different."""
    known: set[str] = set()
    for name in names:
        if name in known:
            return name
        known.add(name)
    return None


def require(
    path: Path, names: Sequence[str], wanted: Sequence[str], role: str, error: type[DataError] = DataError
) -> None:
    """Raise `error` unless every wanted column is there; it names all that are not.

    `error` is OptionError for columns that a config names: the config is wrong, not the file.
    """
    known = set(names)
    absent = [candidate for candidate in dict.fromkeys(wanted) if candidate not in known]
    if not absent:
        return
    shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
    message = f"{path}: no column {', '.join(map(repr, absent))} ({role}); its columns are {shown}"
    near = [nearest for name in absent if (nearest := suggest(name, names))]
    if near:
        message += f"; did you mean {', '.join(map(repr, near))}?"
    if all(is_number(name) for name in names):
        message += "; they are numbered, because the first line was read as a row (header: false)"
    raise error(message)


def read_columns(
    path: Path, layout: Layout, names: Sequence[str], wanted: Sequence[str], as_text: Sequence[str]
) -> Any:
    """The wanted columns as an Arrow table; `as_text` are read as text whatever they look like.

    Numbers are read as the layout says, dates become days since 1970-01-01.
    Raises DataError for a damaged file, a row with too many or too few values, a file without rows.
    """
    return understood(raw_columns(path, layout, names, wanted, as_text), layout, as_text, path)


def raw_columns(path: Path, layout: Layout, names: Sequence[str], wanted: Sequence[str], as_text: Sequence[str]) -> Any:
    """`read_columns` as the file has them: numbers in another writing as text, dates as dates. Raises DataError."""
    wanted = list(dict.fromkeys(wanted))
    table = _read_csv(path, layout, names, wanted, as_text) if layout.delimited else stored.read(path, layout, wanted)
    if not len(table):
        raise DataError(f"{path}: has no rows")
    return table


def understood(table: Any, layout: Layout, as_text: Sequence[str], path: Path) -> Any:
    """An Arrow table with numbers as the layout writes them read, dates as days, bytes as text. Raises DataError."""
    import pyarrow as pa

    columns = {}
    for name, given in zip(table.column_names, table.columns, strict=True):  # as table[name] takes longer, the more are
        column = texts_of_bytes(given, f"{path}, column {name!r}")
        columns[name] = (
            column if name in as_text else as_written(days(column, layout.dates.get(name), path, name), layout)
        )
    return pa.table(columns)


def _read_csv(path: Path, layout: Layout, names: Sequence[str], wanted: Sequence[str], as_text: Sequence[str]) -> Any:
    import pyarrow
    from pyarrow import csv as arrow_csv

    quoted = scan(path, layout.encoding).quoted
    convert = arrow_csv.ConvertOptions(
        include_columns=[] if set(wanted) == set(names) else list(wanted),  # a list takes longer, the longer it is
        null_values=[*MISSING, *layout.na_values],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        decimal_point=layout.decimal,
        column_types={name: pyarrow.string() for name in (*as_text, *layout.dates)},
    )
    with ExitStack() as stack:
        file = stack.enter_context(arrow_input(path, layout.encoding))
        try:
            table = arrow_csv.read_csv(
                file,
                arrow_csv.ReadOptions(
                    column_names=list(names),
                    skip_rows=layout.skip_rows,
                    skip_rows_after_names=int(layout.header),
                    block_size=max(1 << 20, 64 * len(names)),  # a row has to fit into it
                ),
                arrow_csv.ParseOptions(delimiter=layout.separator, newlines_in_values=quoted),
                convert,
            )
        except pyarrow.ArrowInvalid as error:
            raise DataError(_ragged(path, layout, len(names)) or f"{path}: cannot be read as a table") from error
    table = table.select(list(wanted))
    if quoted:
        swallowed(table, path, layout.separator, len(names))
    return table


def _ragged_remedy(text: str, count: int, width: int, layout: Layout) -> str:
    if "\n" in text:
        return "; is a quote missing where it begins?"
    if width == 1:
        return f"; is delimiter: {layout.separator!r} right?"
    return "; if every row begins with its name, as R writes them, the header lacks one" if count == width + 1 else ""


def _ragged(path: Path, layout: Layout, width: int) -> str:
    """The first row with too many or too few values, by its line."""
    with text_of(path, layout.encoding) as file:
        for _ in range(layout.skip_rows):
            next(file, None)
        reader = csv.reader(file, delimiter=layout.separator)
        line = layout.skip_rows + 1
        try:
            for row in reader:
                if row and len(row) != width:
                    text = layout.separator.join(row)
                    remedy = _ragged_remedy(text, len(row), width, layout)
                    values = f"{len(row)} value{'s' * (len(row) != 1)}"
                    return f"{path}:{line}: {values} in a row, expected {width}: {text[:80]!r}{remedy}"
                line = layout.skip_rows + reader.line_num + 1
        except csv.Error:
            return f"{path}:{line}: a value of more than 128 KiB begins in this line; is a quote missing?"
    return ""
