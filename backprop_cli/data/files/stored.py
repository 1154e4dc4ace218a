"""Tables in files that know their columns: Parquet, Feather, JSON lines, Excel, SQLite, DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from backprop_cli.data.files import databases, parquet
from backprop_cli.data.files.feather import unpacked_size
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.opened import arrow_input, check_size, check_unpacked, opened
from backprop_cli.data.files.parquet import CELL, one_line
from backprop_cli.data.files.paths import reading
from backprop_cli.errors import DataError, OptionError
from backprop_cli.untrusted.limits import beyond, bound, open_zip


def names(path: Path, layout: Layout) -> list[str]:
    """The names of all columns. Raises DataError."""
    if layout.form == "parquet":
        return [str(name) for name in parquet.open_file(parquet.parts(path)[0]).schema_arrow.names]
    return [str(name) for name in _whole(path, layout).column_names]


def read(path: Path, layout: Layout, wanted: Sequence[str]) -> Any:
    """The wanted columns as an Arrow table, NaN as missing. Raises DataError for a damaged file."""
    import pyarrow

    try:
        if layout.form == "parquet":
            return _nan_as_missing(parquet.read(path, wanted))
        return _nan_as_missing(_whole(path, layout).select(list(wanted)))
    except (pyarrow.ArrowException, OSError) as error:  # Arrow calls what it cannot decode an OSError
        raise DataError(
            f"{path}: damaged {layout.form.capitalize()} file; write it again ({one_line(error)})"
        ) from error


#: what a formula that failed leaves in its cell: no value
_EXCEL_ERRORS = ("#DIV/0!", "#N/A", "#NAME?", "#NULL!", "#NUM!", "#REF!", "#VALUE!", "#SPILL!", "#CALC!")
_MAX_CELLS = 50_000_000  # of a sheet, empty ones too: one cell in the last corner makes 17 thousand millions


def _nan_as_missing(table: Any) -> Any:
    """pandas writes what is missing as NaN."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, name in enumerate(table.column_names):
        if pa.types.is_floating(table[name].type):
            nan = pc.is_nan(table[name])
            if pc.any(nan).as_py():
                table = table.set_column(i, name, pc.if_else(nan, None, table[name]))
    return table


def _whole(path: Path, layout: Layout) -> Any:
    """The whole table of a file that cannot be read by columns; kept until another is asked for."""
    stat = path.stat() if path.is_file() else None
    how = (layout.form, layout.query, layout.skip_rows, layout.header)
    key = (path, how, stat and (stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns))
    if key not in _last:
        with reading(path):
            table = _READERS[layout.form](path, layout)
            check_size(path, table.num_rows * table.num_columns * CELL)
        _last.clear()
        _last[key] = table
    return _last[key]


_last: dict[Any, Any] = {}


def _feather(path: Path, layout: Layout) -> Any:
    import pyarrow
    from pyarrow import feather

    try:
        check_size(path, unpacked_size(path))
        return feather.read_table(path)
    except pyarrow.ArrowException as error:
        raise DataError(f"{path}: not a Feather file, or a damaged one ({one_line(error)})") from error


def _json_lines(path: Path, layout: Layout) -> Any:
    import pyarrow
    from pyarrow import json as arrow_json

    check_unpacked(path)
    with arrow_input(path) as file:
        try:
            return arrow_json.read_json(file)
        except pyarrow.ArrowInvalid as error:
            raise DataError(
                _odd_line(path) or f"{path}: expected one JSON object a line ({one_line(error)})"
            ) from error


def _odd_line(path: Path) -> str:
    """The first line that is no JSON object, or holds another kind of value than the lines before it."""
    kinds: dict[str, tuple[str, int]] = {}
    with opened(path) as file:
        for line, text in enumerate(file, 1):
            try:
                row = json.loads(text) if text.strip() else {}
            except (ValueError, RecursionError):
                row = None
            if not isinstance(row, dict):
                shown = text[:60].decode(errors="replace").strip()
                return f"{path}:{line}: {shown!r} is no JSON object; expected one a line"
            for name, value in row.items():
                kind = _KINDS.get(type(value), "an object")
                known, first = kinds.setdefault(name, (kind, line)) if value is not None else (kind, line)
                if kind != known:
                    return (
                        f"{path}:{line}: column {name!r}: {value!r:.60} is {kind}, in line {first} it is {known}; "
                        "expected the same kind of value in each line"
                    )
    return ""


_KINDS = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list"}


def _excel(path: Path, layout: Layout) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise DataError(f"{path}: reading Excel files needs openpyxl: pip install 'backprop-cli[excel]'") from None
    try:
        with open_zip(path):  # whether it unpacks to too much
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except Exception as error:  # whatever a damaged archive or its XML raise
        raise DataError(f"{path}: not an .xlsx file, or a damaged one; save it again ({one_line(error)})") from error
    with closing(book):
        if layout.query is not None and layout.query not in book.sheetnames:
            raise OptionError(f"{path}: no sheet {layout.query!r}; expected one of {', '.join(book.sheetnames)}")
        sheet = book[layout.query] if layout.query is not None else book.worksheets[0]
        rows, looked_at = [], 0
        for row in sheet.iter_rows(min_row=1 + layout.skip_rows, values_only=True):
            looked_at += len(row)
            if looked_at > bound(_MAX_CELLS):
                most = f"{bound(_MAX_CELLS):,} cells, which is what bp looks at"
                raise DataError(f"{path}: the sheet {sheet.title!r} has more than {most}; {beyond(_MAX_CELLS)}")
            values = [None if value in _EXCEL_ERRORS else value for value in row]
            if values.count(None) < len(values):
                rows.append(_without_end(values))
    if not rows:
        raise DataError(f"{path}: the sheet {sheet.title!r} is empty; name another: dataset.query: SHEET")
    width = max(i + 1 for row in rows for i, value in enumerate(row) if value is not None)
    check_size(path, len(rows) * width * CELL)
    rows = [(row + [None] * width)[:width] for row in rows]
    if not layout.header:
        return _table(path, [str(i) for i in range(width)], rows)
    _check_header(path, rows)
    header = [str(name).strip() if name is not None else f"Unnamed: {i}" for i, name in enumerate(rows[0])]
    return _table(path, header, rows[1:])


def _check_header(path: Path, rows: Sequence[Sequence[Any]]) -> None:
    """Raise DataError where the first row of a sheet looks like a title above the header."""
    first, width = [value for value in rows[0] if value is not None], len(rows[0])
    full = next((row for row in rows[1:] if None not in row), None)
    if full is not None and len(first) * 2 < width and all(isinstance(value, str) for value in full):
        raise DataError(
            f"{path}: the first row of the sheet names {len(first)} of {width} columns: {first[0]!r:.60}; if the names "
            f"are {', '.join(map(str, full))!r:.80}, set dataset.skip_rows to the rows above, else name all columns"
        )


def _without_end(row: Sequence[Any]) -> list[Any]:
    """A row without the empty cells at its end."""
    width = len(row)
    while row[width - 1] is None:
        width -= 1
    return list(row[:width])


def _table(path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]]) -> Any:
    """Python values as Arrow columns; a column of several kinds is text, as it would be in a CSV file."""
    import pyarrow as pa

    twice = next((name for i, name in enumerate(header) if name in header[:i]), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}; rename one")
    columns = {}
    for i, name in enumerate(header):
        values = [row[i] for row in rows]
        try:
            columns[name] = pa.array(values)
        except (pa.ArrowException, TypeError):
            columns[name] = pa.array([None if value is None else str(value) for value in values])
    return pa.table(columns)


_READERS: dict[str, Callable[[Path, Layout], Any]] = {
    "feather": _feather,
    "jsonl": _json_lines,
    "xlsx": _excel,
    "sqlite": lambda path, layout: _table(path, *databases.sqlite(path, layout)),
    "duckdb": lambda path, layout: _table(path, *databases.duckdb(path, layout)),
}
