"""Tables: columns of a CSV, TSV or Parquet file as x and y."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data import splits
from backprop_cli.data.dataset import Array, Dataset
from backprop_cli.data.files.columns import Layout, column_names, is_number, read_columns, require
from backprop_cli.data.files.labels import are_classes, check_seen, encode, task_of
from backprop_cli.data.files.matrix import Columns, Unseen, fill_gaps, learn_means, matrix, without_gaps
from backprop_cli.data.files.order import dealt
from backprop_cli.errors import DataError

if TYPE_CHECKING:
    from backprop_cli.data.files import Files
    from backprop_cli.data.schema import Schema

MAX_CATEGORIES = 100  # a text column with more is a name or a number, unless it is listed


def load_tables(
    options: Files,
    form: str,
    paths: Mapping[str, Path],
    slices: Mapping[str, Any] | None,
    seed: int,
    known: Schema | None = None,
) -> Dataset:
    """The dataset of one table, or of one a split; see `Files`. Raises DataError."""
    layout = Layout(form, options.delimiter, options.header)
    first = "train" if "train" in paths else next(iter(paths))
    given = options.target or (known.targets if known else [])
    targets = [given] if isinstance(given, str) else list(given)
    if not targets:
        raise DataError(
            f"{paths[first]}: set dataset.target to the column to predict; the columns are "
            + ", ".join(column_names(paths[first], layout)[:30])
        )
    if known is not None and known.table is not None:
        columns = replace(known.table, layout=layout)
    else:
        columns = _choose(options, layout, paths[first], targets)
    tables = {name: _read(columns, path, targets) for name, path in paths.items()}
    for name, path in paths.items():
        tables[name] = without_gaps(tables[name], columns, targets, path)
    if known is None:
        _learn_categories(columns, options.categorical, tables[first], paths[first])

    raw = {name: _targets(table, targets) for name, table in tables.items()}
    classes = None
    if len(targets) == 1 and are_classes(raw[first], options.task or task_of(known)):
        place = {name: str(path) for name, path in paths.items()}
        y, classes = encode(raw, place, known.classes if known else None)
    else:
        y = {name: _values(each, targets, paths[name]) for name, each in raw.items()}
    x: dict[str, Array] = {}
    unseen = Unseen() if known else None
    for name in list(tables):
        order = None
        if len(paths) == 1:
            order = dealt(len(y[name]), y[name] if classes else None, seed)
            y[name] = y[name][order]
        x[name] = matrix(tables.pop(name), columns, str(paths[name]), order, unseen)
    parts = splits.cut(x, y, slices)
    if known is None:
        check_seen(parts, classes)
    if columns.missing == "mean":
        if known is None:
            learn_means(columns, (parts.get("train") or next(iter(parts.values()))).x)
        for part in parts.values():
            fill_gaps(columns, part.x)
    return Dataset(
        name=paths[first].stem,
        source="files",
        splits=parts,
        classes=classes,
        features=None if columns.text else columns.names(),
        origin={"files": {name: str(path) for name, path in paths.items()}},
        targets=targets,
        table=columns,
        notes=unseen.notes(paths[first].name) if unseen else [],
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


def _targets(table: Any, targets: Sequence[str]) -> Array:
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
