"""Reads Parquet files, after checking that their columns are not too large when unpacked."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from backprop_cli.data.files.opened import check_size
from backprop_cli.data.files.paths import reading
from backprop_cli.data.shares import usual
from backprop_cli.errors import DataError

CELL = 8  # bytes that a value takes at least
_SHARD = re.compile(r"(?P<split>.+?)-\d{5}-of-\d{5}")  # as Hugging Face names them


def parts(path: Path) -> list[Path]:
    """The files that a path stands for: itself, or all that match train-*.parquet, in order."""
    return sorted(path.parent.glob(path.name)) if "*" in path.name else [path]


def shards(folder: Path) -> dict[str, Path]:
    """The splits of a folder of Parquet files, by name: train-00000-of-00002.parquet, data/test.parquet; a path with *
    stands for several. Raises DataError where a split is there twice."""
    by_split: dict[str, Path] = {}
    for file in sorted(folder.rglob("*.parquet")):
        shard = _SHARD.fullmatch(file.stem)
        path = file.with_name(f"{shard['split']}-*.parquet") if shard else file
        name = shard["split"] if shard else file.stem
        name = usual(name) or name
        if by_split.setdefault(name, path) != path:
            raise DataError(f"{folder}: {by_split[name]} and {path} are both the split {name}; give the path of one")
    return by_split if len(by_split) > 1 else dict(zip(["train"], by_split.values(), strict=True))


def described(path: Path) -> tuple[list[str], list[str]]:
    """The columns of pictures, and those of class ids whose names the schema holds. Raises DataError."""
    import pyarrow as pa

    schema = open_file(parts(path)[0]).schema_arrow
    kinds = _features(schema)
    pictures = []
    for field in schema:
        parts_of = pa.types.is_struct(field.type) and {field.type.field(i).name for i in range(field.type.num_fields)}
        if kinds.get(field.name, {}).get("_type") == "Image" or parts_of == {"bytes", "path"}:
            pictures.append(field.name)
    return pictures, [*_class_names(schema)]


def _features(schema: Any) -> dict[str, dict[str, Any]]:
    """What Hugging Face's `datasets` has noted of each column."""
    try:
        told = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))
        features = told["info"]["features"]
        return {name: feature for name, feature in features.items() if isinstance(feature, dict)}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _class_names(schema: Any) -> dict[str, list[str]]:
    """The names of the class ids 0, 1, … of each column that has some."""
    import pyarrow as pa

    by_column = {}
    for name, feature in _features(schema).items():
        names = feature.get("names")
        known = schema.get_field_index(name) >= 0 and pa.types.is_integer(schema.field(name).type)
        if known and isinstance(names, list) and names and all(isinstance(label, str) for label in names):
            by_column[name] = names
    return by_column


def _named(table: Any, path: Path) -> Any:
    """A table with the names of classes in place of their ids; −1 is none. Raises DataError for an id without one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name, names in _class_names(table.schema).items():
        ids = table[name]
        wrong = pc.index(pc.fill_null(pc.greater_equal(ids, len(names)), False), True).as_py()
        if wrong >= 0:
            raise DataError(
                f"{path}, row {wrong + 1}, column {name!r}: class {ids[wrong].as_py()}, and its schema "
                f"names {len(names)}; write it again"
            )
        places = pc.if_else(pc.less(ids, 0), None, ids).cast(pa.int32())
        labels = pc.take(pa.array(names, pa.string()), places)
        table = table.set_column(table.column_names.index(name), name, labels)
    return table


def read(path: Path, wanted: Sequence[str]) -> Any:
    """An Arrow table of the wanted columns of one file, or of all that a path with * stands for; class ids as the names
    that the schema has. Raises DataError."""
    import pyarrow as pa

    tables = [_named(_read(part, wanted), part) for part in parts(path)]
    odd = next((i for i, table in enumerate(tables) if not table.schema.equals(tables[0].schema)), None)
    if odd is not None:
        first, other = parts(path)[0], parts(path)[odd]
        raise DataError(f"{other}: its columns are not those of {first.name}; expected the same in all its parts")
    return tables[0] if len(tables) == 1 else pa.concat_tables(tables)


def _read(path: Path, wanted: Sequence[str]) -> Any:
    """The wanted columns, once it is known how much memory they take: a row may say in a byte that a million like the
    one before it follow."""
    import pyarrow as pa
    import pyarrow.compute as pc

    metadata = open_file(path).metadata
    check_size(path, metadata.num_rows * len(wanted) * CELL)
    packed = [
        column.total_uncompressed_size
        for group in map(metadata.row_group, range(metadata.num_row_groups))
        for column in map(group.column, range(group.num_columns))
        if column.path_in_schema.split(".")[0] in wanted
    ]
    check_size(path, sum(packed))
    schema = open_file(path).schema_arrow
    strings = [name for name in wanted if pa.types.is_string(schema.field(name).type)]
    table = open_file(path, strings).read(columns=list(wanted))
    for name in strings:
        lengths = [
            pc.sum(pc.take(pc.binary_length(part.dictionary), part.indices)).as_py() for part in table[name].chunks
        ]
        check_size(path, sum(length or 0 for length in lengths))
    return table.cast(pa.schema([schema.field(name) for name in table.column_names], metadata=schema.metadata))


def texts(path: Path, count: int) -> dict[str, list[str]]:
    """The different values in the first `count` rows of each column of text. Raises DataError."""
    import pyarrow as pa
    import pyarrow.compute as pc

    first = parts(path)[0]
    metadata = open_file(first).metadata
    if not metadata.num_row_groups:
        return {}
    schema = open_file(first).schema_arrow
    names = [field.name for field in schema if str(field.type) in ("string", "large_string")]
    group = metadata.row_group(0)
    columns = [group.column(i) for i in range(group.num_columns)]
    check_size(first, sum(column.total_uncompressed_size for column in columns if column.path_in_schema in names))
    by_name = {}
    for batch in open_file(first, names).iter_batches(batch_size=count, columns=names):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            packed = pa.types.is_dictionary(column.type)
            different = pc.take(column.dictionary, pc.unique(column.indices)) if packed else pc.unique(column)
            by_name[name] = [text for text in different.to_pylist() if text is not None]
        break
    return by_name


def open_file(path: Path, strings: Sequence[str] = ()) -> Any:
    """An open Parquet file; columns of `strings` are read as dictionaries, each text once. Raises DataError."""
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
