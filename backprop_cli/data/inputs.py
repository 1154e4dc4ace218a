"""Rows without targets, as training saw them: from a file or from memory, by what the model knows of its data."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.arrays import read_npy, read_npz
from backprop_cli.data.files.folders import IMAGE_SUFFIXES
from backprop_cli.data.files.opened import check_unpacked, opened
from backprop_cli.data.files.options import TABLES
from backprop_cli.data.files.paths import SUFFIXES, inner_name, missing
from backprop_cli.data.files.text import encode, read_text, tokens_of
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.idx import read_idx
from backprop_cli.data.input_media import file_media, listed_media
from backprop_cli.data.input_tables import Kept, arrow_table, file_table
from backprop_cli.data.schema import TEXT, Schema
from backprop_cli.errors import DataError

RECORDS = {".jsonl": "json lines", ".ndjson": "json lines", ".json": "json"}
EXPECTED = "expected a .npy, .npz or IDX file, a table (.csv, .parquet, .xlsx, …), a .txt file, images or WAV files"


@dataclass
class Rows:
    """Raw rows x (N, …), and what names them in the output."""

    x: Array
    files: list[str] | None = None  # of images
    kept: Kept = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)  # what was left out on reading
    others: list[Array] = field(default_factory=list)  # the same rows as further networks of an average take them


def read_inputs(path: Path, schema: Schema, keep: Sequence[str] = (), unseen: Unseen | None = None) -> Rows:
    """The rows of a .npy, .npz, CSV, TSV, Parquet, JSON Lines or text file, an image or a folder of images.

    Columns of a table are found by name, in any order; others, the target among them, are passed over, except those
    to `keep`. Categories that the model has not learnt go to `unseen`, and without it are an error. Raises DataError.
    """
    if not path.exists():
        missing(path)
    suffix = Path(inner_name(path)).suffix.lower()
    folder = "sounds" if schema.sounds is not None else "images"
    form = folder if path.is_dir() else "images" if suffix in IMAGE_SUFFIXES else None
    form = form or RECORDS.get(suffix) or SUFFIXES.get(suffix)
    if schema.media is not None and schema.media.column and form in TABLES:
        return _media(schema, path, *listed_media(path, str(form), schema))
    if form is not None and form in TABLES:
        return _table(schema, *file_table(path, form, schema, keep, unseen), str(path))
    if form in ("json", "json lines"):
        return rows_of(_records(path, form), schema, keep, unseen, str(path))
    if keep:
        raise DataError(f"{path}: has no columns, so none can be kept; leave --keep out")
    if form == "npy":
        return Rows(shaped(read_npy(path), schema, str(path)))
    if form == "idx" or (form is None and "-idx" in path.name):
        return Rows(shaped(read_idx(path), schema, str(path)))
    if form == "npz":
        return Rows(shaped(_only(read_npz(path), path), schema, str(path)))
    if form in ("images", "sounds"):
        return _media(schema, path, *file_media(path, form, schema))
    if form == "text":
        return _windows(path, schema)
    raise DataError(f"{path}: {EXPECTED}")


def rows_of(
    data: Any, schema: Schema, keep: Sequence[str] = (), unseen: Unseen | None = None, origin: str = "input"
) -> Rows:
    """The rows of an array, a DataFrame, an Arrow table, a list of dicts, a dict of one row or of whole columns.

    Raises DataError.
    """
    try:
        return _rows_of(data, schema, keep, unseen, origin)
    except UnicodeEncodeError as error:  # JSON can say it, and UTF-8 cannot
        half = error.object[error.start]
        raise DataError(f"{origin}: text with {half!r}, which is half of a character; expected whole ones") from None


def _rows_of(data: Any, schema: Schema, keep: Sequence[str], unseen: Unseen | None, origin: str) -> Rows:
    if isinstance(data, Mapping):
        data = _rows_of_columns(data, origin)
    if isinstance(data, list) and data and all(isinstance(item, Mapping) for item in data):
        import pyarrow as pa

        names = list(dict.fromkeys(str(name) for row in data for name in row))
        data = pa.table({name: _column([row.get(name) for row in data]) for name in names})
    elif hasattr(data, "columns") and hasattr(data, "iloc"):  # pandas
        import pyarrow as pa

        data = pa.Table.from_pandas(data.rename(columns=str), preserve_index=False)
    elif hasattr(data, "to_arrow"):  # polars
        data = data.to_arrow()
    if hasattr(data, "column_names"):
        return _table(schema, *arrow_table(data, schema, keep, unseen, origin), origin)
    if schema.dtype == TEXT:
        return Rows(np.array([item.encode() if isinstance(item, str) else item for item in np.asarray(data).ravel()]))
    try:
        x = np.asarray(data)
        if x.dtype == object:
            with suppress(TypeError, ValueError):
                x = x.astype(np.float64)
        return Rows(shaped(x, schema, origin))
    except ValueError:
        raise DataError(f"{origin}: rows of different lengths; expected all of shape {schema.shape}") from None


def _rows_of_columns(data: Mapping[str, Any], origin: str) -> list[Mapping[str, Any]]:
    """A dict of one row, or one of columns as long as each other, as a list of dicts. Raises DataError."""
    columns = [values.tolist() if hasattr(values, "tolist") else values for values in data.values()]
    lengths = {len(values) for values in columns if isinstance(values, list | tuple)}
    if not lengths:
        return [data]
    if len(lengths) > 1 or not all(isinstance(values, list | tuple) for values in columns):
        raise DataError(f"{origin}: columns of different lengths; expected one value for each row in all of them")
    return [dict(zip(data, row, strict=True)) for row in zip(*columns, strict=True)]


def shaped(x: Array, schema: Schema, origin: str) -> Array:
    """x as (N, *schema.shape) in the kind of schema.dtype; a single row, and a missing last axis of 1, are put right.

    Raises DataError for other shapes, and for values that the network cannot take.
    """
    shape = schema.shape
    if x.shape[1:] == shape and x.ndim:
        pass
    elif x.shape == shape:
        x = x[None]
    elif x.ndim and ((*x.shape[1:], 1) == shape or x.shape[1:] == (*shape, 1)):
        x = x.reshape(len(x), *shape)
    else:
        raise DataError(f"{origin}: rows of shape {x.shape[1:]}; the network was trained on rows of shape {shape}")
    return _typed(x, np.dtype(schema.dtype), origin)


def _typed(x: Array, dtype: np.dtype[Any], origin: str) -> Array:
    """x as training had it: whole numbers for token ids, real ones elsewhere. Raises DataError."""
    if x.dtype.kind not in "biuf":
        raise DataError(f"{origin}: values of type {x.dtype}; expected numbers")
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        row = int(np.argwhere(~np.isfinite(x))[0][0])
        raise DataError(f"{origin}, row {row + 1}: a value that is no finite number; fill it in, or drop the row")
    if dtype.kind in "iu" and dtype != np.uint8 and x.dtype.kind == "f":  # token ids
        whole = x.astype(np.int64)
        if not np.array_equal(whole, x):
            raise DataError(f"{origin}: {x[whole != x].flat[0]}; the network was trained on whole numbers")
        return whole
    return x.astype(np.float64) if x.dtype.kind in "iub" and dtype.kind == "f" else x


def _table(schema: Schema, x: Array, kept: Kept, notes: list[str], origin: str) -> Rows:
    text = schema.table is not None and bool(schema.table.text)
    return Rows(x if text else shaped(x, schema, origin), kept=kept, notes=notes)


def _column(values: list[Any]) -> Any:
    """Values of one column of records as an Arrow array; as text where they are of several types."""
    import pyarrow as pa

    try:
        return pa.array(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _records(path: Path, form: str) -> list[Mapping[str, Any]]:
    check_unpacked(path)
    with opened(path) as file:
        text = file.read().decode("utf-8-sig", "replace")
    lines = text.splitlines() if form == "json lines" else [text]
    records: list[Mapping[str, Any]] = []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise DataError(f"{path}:{number}: not JSON ({error}); expected one object a line") from None
            records += record if isinstance(record, list) else [record]
    wrong = next((i for i, record_ in enumerate(records) if not isinstance(record_, dict)), None)
    if wrong is not None or not records:
        what = f"record {wrong + 1} is no object" if wrong is not None else "no record"
        raise DataError(f'{path}: {what}; expected records such as {{"width": 1.5, "colour": "red"}}')
    return records


def _only(arrays: dict[str, Array], path: Path) -> Array:
    single = next((name for name, array in arrays.items() if array.ndim == 0 and name != "y"), None)
    if single is not None:
        raise DataError(f"{path}: {single} is a single value; expected one entry a row")
    for key in ("x", "X", "x_test", "data", "images"):
        if key in arrays:
            return arrays[key]
    if len(arrays) != 1:
        raise DataError(f"{path}: has the arrays {', '.join(arrays)}; expected x, or a single one")
    return next(iter(arrays.values()))


def _media(schema: Schema, path: Path, x: Array, files: list[str], notes: list[str]) -> Rows:
    return Rows(shaped(x, schema, str(path)), files, notes=notes)


def _windows(path: Path, schema: Schema) -> Rows:
    if schema.text is None or not schema.classes:
        raise DataError(f"{path}: a text, but the network was not trained on a text file")
    tokens, length = tokens_of(read_text(path), schema.text.level), schema.text.length
    count = len(tokens) // length
    if not count:
        raise DataError(f"{path}: {len(tokens)} tokens; the network reads {length} at a time")
    ids = encode(tokens[: count * length], {token: i for i, token in enumerate(schema.classes)})
    rest = len(tokens) - count * length
    notes = [f"{path}: its last {rest:,} tokens are left out; the network reads {length} at a time"] if rest else []
    return Rows(shaped(ids.reshape(count, length), schema, str(path)), notes=notes)
