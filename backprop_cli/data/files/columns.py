"""Reading chosen columns of a CSV, TSV or Parquet file with Arrow."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backprop_cli.data.files.paths import reading
from backprop_cli.errors import DataError
from backprop_cli.registry import suggest


@dataclass(frozen=True)
class Layout:
    """How a table lies in its file."""

    form: str  # csv | tsv | parquet
    delimiter: str | None = None
    header: bool = True

    @property
    def separator(self) -> str:
        return self.delimiter or ("\t" if self.form == "tsv" else ",")


def column_names(path: Path, layout: Layout) -> list[str]:
    """The names of all columns; 0, 1, … where the file has no header. Raises DataError."""
    if layout.form == "parquet":
        return [str(name) for name in _parquet(path).schema_arrow.names]
    with reading(path), path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        try:
            first = next(csv.reader(file, delimiter=layout.separator), None)
        except csv.Error as error:
            raise DataError(f"{path}, first line: {error}; expected the names of columns") from error
    if not first:
        raise DataError(f"{path}: empty; expected a line with the names of columns, then rows")
    names = [name.strip() for name in first] if layout.header else [str(i) for i in range(len(first))]
    twice = next((name for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(f"{path}: two columns are called {twice!r}; rename one")
    return names


def require(path: Path, names: Sequence[str], wanted: Sequence[str], role: str) -> None:
    """Raise DataError unless every wanted column is there."""
    for each in wanted:
        if each not in names:
            nearest = suggest(each, names)
            hint = f"; did you mean {nearest!r}?" if nearest else ""
            if all(is_number(name) for name in names):
                hint = "; the first line looks like numbers, is header: false missing?"
            shown = ", ".join(names[:30]) + (", …" if len(names) > 30 else "")
            raise DataError(f"{path}: no column {each!r} ({role}); its columns are {shown}{hint}")


def is_number(text: str) -> bool:
    """Whether Python reads it as one."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _line(error: Exception) -> str:
    return " ".join(str(error).split())


def read_columns(path: Path, layout: Layout, names: Sequence[str], wanted: Sequence[str], texts: Sequence[str]) -> Any:
    """The wanted columns as an Arrow table; `texts` are read as text whatever they look like.

    Raises DataError for a damaged file, a row with too many or too few values, a file without rows.
    """
    if layout.form == "parquet":
        import pyarrow

        file = _parquet(path)
        try:
            table = _nan_as_missing(file.read(columns=list(wanted)))
        except (pyarrow.ArrowException, OSError) as error:  # Arrow calls what it cannot decode an OSError
            raise DataError(f"{path}: damaged Parquet file: {_line(error)}") from error
    else:
        table = _read_csv(path, layout, names, wanted, texts)
    if not len(table):
        raise DataError(f"{path}: has no rows")
    return table


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


def _parquet(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    with reading(path):
        try:
            return parquet.ParquetFile(path)
        except pyarrow.ArrowInvalid as error:
            raise DataError(f"{path}: not a Parquet file, or a damaged one: {_line(error)}") from error


def _read_csv(path: Path, layout: Layout, names: Sequence[str], wanted: Sequence[str], texts: Sequence[str]) -> Any:
    import pyarrow
    from pyarrow import csv as arrow_csv

    convert = arrow_csv.ConvertOptions(
        include_columns=list(wanted),
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        column_types={name: pyarrow.string() for name in texts},
    )
    ragged: list[Any] = []

    def refuse(row: Any) -> str:
        ragged.append(row)
        return "error"

    def read(use_threads: bool) -> Any:
        return arrow_csv.read_csv(
            path,
            arrow_csv.ReadOptions(column_names=list(names), skip_rows=int(layout.header), use_threads=use_threads),
            arrow_csv.ParseOptions(delimiter=layout.separator, invalid_row_handler=refuse),
            convert,
        )

    with reading(path):
        try:
            return read(use_threads=True)
        except pyarrow.ArrowInvalid as error:
            if not ragged:
                raise DataError(f"{path}: {_line(error)}") from error
            ragged.clear()
            with suppress(pyarrow.ArrowInvalid):  # once more, in order: only then does Arrow know the line
                read(use_threads=False)
            row = ragged[0]
            raise DataError(
                f"{path}:{row.number}: {row.actual_columns} values in a row, expected {row.expected_columns}: "
                f"{row.text[:80]!r}"
            ) from error
