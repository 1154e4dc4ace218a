"""Tables: columns of a CSV, TSV or Parquet file as x and y."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.dataset import Array, Dataset
from backprop_cli.data.files.columns import Layout, column_names, is_number, read_columns, require
from backprop_cli.data.files.labels import are_classes, check_seen, encode
from backprop_cli.data.files.order import dealt
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.files import Files

_BLOCK_ROWS = 4096
MAX_CATEGORIES = 100  # a text column with more is a name or a number, unless it is listed


@dataclass
class Columns:
    """How columns become x; saved with a run, so that prediction reads its input the same way."""

    layout: Layout
    features: list[str]
    text: str | None = None
    encoding: str = "one_hot"
    missing: str = "error"
    categories: dict[str, list[str]] = field(default_factory=dict)
    fill: dict[str, float | str] = field(default_factory=dict)  # what stands in for missing values

    def names(self) -> list[str]:
        """The name of each column of x."""
        if self.encoding == "integer":
            return list(self.features)
        wide = {name: [f"{name}={each}" for each in known] for name, known in self.categories.items()}
        return [column for name in self.features for column in wide.get(name, [name])]

    @property
    def integers(self) -> bool:
        """Whether x is nothing but category codes."""
        return self.encoding == "integer" and set(self.features) == set(self.categories)


def load_tables(
    options: Files, form: str, paths: Mapping[str, Path], slices: Mapping[str, str] | None, seed: int
) -> Dataset:
    """The dataset of one table, or of one a split; see `Files`. Raises DataError."""
    layout = Layout(form, options.delimiter, options.header)
    first = "train" if "train" in paths else next(iter(paths))
    targets = [options.target] if isinstance(options.target, str) else list(options.target or [])
    if not targets:
        raise DataError(
            f"{paths[first]}: set dataset.target to the column to predict; the columns are "
            + ", ".join(column_names(paths[first], layout)[:30])
        )
    columns = _choose(options, layout, paths[first], targets)
    tables = {name: _read(columns, path, targets) for name, path in paths.items()}
    for name, path in paths.items():
        tables[name] = without_gaps(tables[name], columns, targets, path)
    _learn_categories(columns, options.categorical, tables[first], paths[first])

    raw = {name: _targets(table, targets, paths[name], options.task) for name, table in tables.items()}
    classes = None
    if len(targets) == 1 and are_classes(raw[first], options.task):
        y, classes = encode(raw, {name: str(path) for name, path in paths.items()})
    else:
        y = {name: _values(each, targets, paths[name]) for name, each in raw.items()}
    x: dict[str, Array] = {}
    for name in list(tables):
        order = None
        if len(paths) == 1:
            order = dealt(len(y[name]), y[name] if classes else None, seed)
            y[name] = y[name][order]
        x[name] = matrix(tables.pop(name), columns, str(paths[name]), order)
    parts = splits.cut(x, y, slices)
    check_seen(parts, classes)
    if columns.missing == "mean":
        train = parts.get("train") or next(iter(parts.values()))
        _fill(columns, train.x, [part.x for part in parts.values()])
    return Dataset(
        name=paths[first].stem,
        source="files",
        splits=parts,
        classes=classes,
        features=None if columns.text else columns.names(),
        origin={
            "files": {name: str(path) for name, path in paths.items()},
            "target": targets,
            "table": asdict(columns),
        },
    )


def _choose(options: Files, layout: Layout, path: Path, targets: Sequence[str]) -> Columns:
    names = column_names(path, layout)
    require(path, names, targets, "target")
    require(path, names, options.categorical, "categorical")
    if options.text is not None:
        require(path, names, [options.text], "text")
        return Columns(layout, [], text=options.text, missing=options.missing)
    features = options.features or [name for name in names if name not in targets]
    require(path, names, features, "features")
    both = next((name for name in features if name in targets), None)
    if both is not None:
        raise DataError(f"{path}: column {both!r} is both feature and target; take it out of one")
    if not features:
        raise DataError(f"{path}: no column is left to learn from; expected one besides the target")
    categories: dict[str, list[str]] = {name: [] for name in options.categorical if name in features}
    return Columns(layout, features, None, options.encoding, options.missing, categories)


def _read(columns: Columns, path: Path, targets: Sequence[str]) -> Any:
    names = column_names(path, columns.layout)
    wanted = [columns.text] if columns.text else list(columns.features)
    require(path, names, [*wanted, *targets], "needed")
    texts = [columns.text] if columns.text else list(columns.categories)
    return read_columns(path, columns.layout, names, [*wanted, *targets], texts)


def without_gaps(table: Any, columns: Columns, targets: Sequence[str], path: Path) -> Any:
    """The table without rows that lack what may not be missing. Raises DataError that names the first."""
    import pyarrow.compute as pc

    may_lack = set(columns.features) if columns.missing == "mean" else set()
    keep = None
    for name in table.column_names:
        column = table[name]
        if not column.null_count or name in may_lack:
            continue
        if columns.missing != "drop":
            row = pc.index(pc.is_null(column), True).as_py() + 1
            role = "the target" if name in targets else "a feature"
            advice = "missing: drop" if name in targets else "missing: mean or missing: drop"
            raise DataError(
                f"{path}, row {row}, column {name!r}: no value ({role}; {column.null_count} rows lack it); "
                f"fill it in or set dataset.{advice}"
            )
        keep = pc.is_valid(column) if keep is None else pc.and_(keep, pc.is_valid(column))
    if keep is None:
        return table
    table = table.filter(keep)
    if not len(table):
        raise DataError(f"{path}: every row lacks a value, and missing: drop leaves none")
    return table


def _learn_categories(columns: Columns, listed: Sequence[str], table: Any, path: Path) -> None:
    """The categories of the first table's text columns, sorted, and their most frequent one."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in columns.features:
        kind = table[name].type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        if name not in listed and not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
            continue
        counts = pc.value_counts(table[name].cast(pa.string()))
        counted = {each["values"]: each["counts"] for each in counts.to_pylist() if each["values"] is not None}
        if name not in listed:
            _refuse_numbers(counted, table[name], name, path)
        if name not in listed and len(counted) > MAX_CATEGORIES:
            shown = ", ".join(repr(each) for each in sorted(counted)[:3])
            raise DataError(
                f"{path}: text column {name!r} has {len(counted)} different values ({shown}, …); leave it out of "
                "dataset.features, or list it under dataset.categorical"
            )
        columns.categories[name] = sorted(counted)
        if columns.missing == "mean" and counted:
            columns.fill[name] = max(counted, key=lambda each: (counted[each], each))


def _refuse_numbers(values: Collection[str], column: Any, name: str, path: Path) -> None:
    """Raise DataError for a column that a few words among its numbers have made one of text."""
    numbers = sum(is_number(value) for value in values)
    if not len(values) / 2 < numbers < len(values):
        return
    row, word = next((i, text) for i, text in enumerate(column.to_pylist(), 1) if text and not is_number(text))
    raise DataError(
        f"{path}, row {row}, column {name!r}: {word!r} among numbers; repair it, or list the column under "
        "dataset.categorical"
    )


def _targets(table: Any, targets: Sequence[str], path: Path, task: str | None) -> Array:
    """(N,) values of one target as they are, (N, K) numbers of several."""
    import pyarrow as pa

    arrays = []
    for name in targets:
        column = table[name]
        if pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
            column = column.dictionary_encode()
        if pa.types.is_dictionary(column.type):
            column = column.combine_chunks()
            arrays.append(np.array(column.dictionary.to_pylist())[column.indices.to_numpy()])
        else:
            arrays.append(column.to_numpy())
    return arrays[0] if len(arrays) == 1 else np.stack(arrays, 1)


def _values(values: Array, targets: Sequence[str], path: Path) -> Array:
    """Real-valued targets (N, K). Raises DataError where they are not finite numbers."""
    if values.dtype.kind not in "iufb":
        raise DataError(f"{path}: target {', '.join(targets)} holds {str(values.flat[0])!r}; expected numbers")
    values = values.astype(np.float64).reshape(len(values), -1)
    if not np.isfinite(values).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise DataError(f"{path}, row {row + 1}, column {targets[column]!r}: {values[row, column]}, expected a number")
    return values


def matrix(table: Any, columns: Columns, place: str, order: Array | None = None) -> Array:
    """x (N, F) of a table, rows in the given order; text as (N,) bytes. Raises DataError.

    Missing numbers are NaN where `missing: mean` will fill them.
    """
    if columns.text:
        texts = [(each or "").encode() for each in table[columns.text].to_pylist()]
        x = np.array(texts)
        return x if order is None else x[order]
    x = np.zeros((len(table), len(columns.names())), np.int64 if columns.integers else np.float64)
    order = np.arange(len(x)) if order is None else order
    one_hot = columns.encoding == "one_hot"
    read = []
    for name in columns.features:
        known = columns.categories.get(name)
        values = (
            _numbers(table[name], name, columns, place) if known is None else _codes(table[name], name, columns, place)
        )
        read.append((values, len(known) if known is not None and one_hot else 0))
    for first in range(0, len(x), _BLOCK_ROWS):  # a block of x stays in the cache while its columns are filled
        rows = order[first : first + _BLOCK_ROWS]
        block, at = x[first : first + len(rows)], 0
        for values, width in read:
            if width:
                block[np.arange(len(rows)), at + values[rows]] = 1
            else:
                block[:, at] = values[rows]
            at += width or 1
    return x


def _numbers(column: Any, name: str, columns: Columns, place: str) -> Array:
    import pyarrow as pa

    kind = column.type
    is_numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    if not any(test(kind) for test in is_numeric):
        raise DataError(
            f"{place}, column {name!r}: holds {kind}; expected numbers or categories; convert it to a number, or "
            "leave it out of dataset.features"
        )
    values: Array = column.cast(pa.float64()).to_numpy()
    with np.errstate(invalid="ignore"):
        suspicious = not np.isfinite(values.sum())
    if suspicious:
        gaps = np.asarray(column.is_null()) if columns.missing == "mean" else np.zeros(len(values), bool)
        wrong = np.flatnonzero(~np.isfinite(values) & ~gaps)
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{place}, row {row + 1}, column {name!r}: {values[row]}, expected a finite number")
    return values


def _codes(column: Any, name: str, columns: Columns, place: str) -> Array:
    """The code of each row's category."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = columns.categories[name]
    column = column.cast(pa.string())
    if column.null_count and name in columns.fill:
        column = pc.fill_null(column, columns.fill[name])
    ids: Array = pc.index_in(column, pa.array(known, pa.string())).to_numpy()
    if ids.dtype.kind == "f":  # Arrow's nulls: a category that is not among the known ones
        row = int(np.flatnonzero(np.isnan(ids))[0])
        raise DataError(
            f"{place}, row {row + 1}, column {name!r}: category {column[row].as_py()!r} never occurs in the training "
            f"data, whose categories are {', '.join(known[:20])}"
        )
    codes: Array = ids.astype(np.int64)
    return codes


def _fill(columns: Columns, train: Array, parts: Sequence[Array]) -> None:
    """Put the training split's means where numbers are missing, in every split."""
    names = columns.names()
    for i, name in enumerate(names):
        if name not in columns.features or name in columns.categories or columns.integers:
            continue
        mean = float(np.nanmean(train[:, i])) if not np.isnan(train[:, i]).all() else 0.0
        columns.fill[name] = mean
        for rows in parts:
            np.copyto(rows[:, i], mean, where=np.isnan(rows[:, i]))
