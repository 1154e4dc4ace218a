"""Tables in files that know their columns: Parquet, Feather, JSON lines, Excel, SQLite, DuckDB."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.data.files import databases, excel, parquet
from backprop_cli.data.files.feather import unpacked_size
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.opened import arrow_input, check_size, check_unpacked, opened
from backprop_cli.data.files.parquet import CELL, one_line
from backprop_cli.data.files.paths import reading
from backprop_cli.errors import DataError


def names(path: Path, layout: Layout) -> list[str]:
    """The names of all columns of a file. Raises DataError, OptionError."""
    if layout.form == "parquet":
        return [str(name) for name in parquet.open_file(parquet.parts(path)[0]).schema_arrow.names]
    return [str(name) for name in _whole(path, layout).column_names]


def read(path: Path, layout: Layout, wanted: Sequence[str]) -> Any:
    """The wanted columns as an Arrow table, NaN as missing. Raises DataError for a damaged file."""
    import pyarrow

    try:
        if layout.form == "parquet":
            return _plain(parquet.read(path, wanted))
        return _plain(_whole(path, layout).select(list(wanted)))
    except (pyarrow.ArrowException, OSError) as error:  # Arrow calls what it cannot decode an OSError
        raise DataError(
            f"{path}: damaged {layout.form.capitalize()} file; write it again ({one_line(error)})"
        ) from error


def texts(path: Path, layout: Layout, count: int) -> dict[str, list[str]]:
    """The values in the first `count` rows of each column of text. Raises DataError."""
    import pyarrow as pa

    if layout.form == "parquet":
        return parquet.texts(path, count)
    head = _plain(_whole(path, layout).slice(0, count))
    return {
        name: [text for text in column.to_pylist() if text is not None]
        for name, column in zip(head.column_names, head.columns, strict=True)
        if pa.types.is_string(column.type)
    }


def _plain(table: Any) -> Any:
    """NaN as missing, which is how pandas writes it; text in the one of Arrow's three layouts that all its functions
    take: pandas writes large_string, Polars string_view."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for i, name in enumerate(table.column_names):
        column = table[name]
        if str(column.type) in ("large_string", "string_view"):
            table = table.set_column(i, name, column.cast(pa.string()))
        elif pa.types.is_floating(column.type):
            nan = pc.is_nan(column)
            if pc.any(nan).as_py():
                table = table.set_column(i, name, pc.if_else(nan, None, column))
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
    "xlsx": lambda path, layout: _table(path, *excel.sheet(path, layout)),
    "sqlite": lambda path, layout: _table(path, *databases.sqlite(path, layout)),
    "duckdb": lambda path, layout: _table(path, *databases.duckdb(path, layout)),
}
