"""Parquet files, read once it is known that their columns are not too large unpacked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backprop_cli.data.files.opened import check_size
from backprop_cli.data.files.paths import reading
from backprop_cli.errors import DataError

CELL = 8  # bytes that a value takes at least


def read(path: Path, wanted: Sequence[str]) -> Any:
    """The wanted columns, once it is known how much memory they take: a row may say in a byte that a million like the
    one before it follow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = open_file(path).metadata.num_rows
    check_size(path, rows * len(wanted) * CELL)
    schema = open_file(path).schema_arrow
    strings = [name for name in wanted if pa.types.is_string(schema.field(name).type)]
    table = open_file(path, strings).read(columns=list(wanted))
    for name in strings:
        lengths = [
            pc.sum(pc.take(pc.binary_length(part.dictionary), part.indices)).as_py() for part in table[name].chunks
        ]
        check_size(path, sum(length or 0 for length in lengths))
    return table.cast(pa.schema([schema.field(name) for name in table.column_names]))


def open_file(path: Path, strings: Sequence[str] = ()) -> Any:
    """A Parquet file; columns of `texts` are read as they are packed, each text once."""
    import pyarrow
    from pyarrow import parquet

    with reading(path):
        try:
            return parquet.ParquetFile(path, read_dictionary=list(strings))
        except pyarrow.ArrowInvalid as error:
            raise DataError(f"{path}: not a Parquet file, or a damaged one ({one_line(error)})") from error


def one_line(error: Exception) -> str:
    """What a library says, in a line."""
    return " ".join(str(error).split())[:200]
