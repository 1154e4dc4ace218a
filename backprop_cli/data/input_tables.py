"""Rows of a table without its target, from a file or from memory: columns by name, encoded as training had them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.columns import column_names, raw_columns, read_columns, require, understood
from backprop_cli.data.files.gaps import fill_gaps, without_gaps
from backprop_cli.data.files.guess import fitting, guess
from backprop_cli.data.files.layout import Layout, plain_number
from backprop_cli.data.files.matrix import Columns, matrix
from backprop_cli.data.files.series import latest, track
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.schema import Schema, Series
from backprop_cli.errors import DataError

Kept = dict[str, Any]  # Arrow columns that are passed on, by name


def _columns(schema: Schema, layout: Layout, names: Sequence[str]) -> Columns:
    """How the columns of a table become x; for a network trained on arrays, by the names of its inputs if all are
    there, else in their order."""
    if schema.table is not None:
        gaps = "error" if schema.table.missing == "drop" else schema.table.missing  # no row of an input is dropped
        plans = {
            name: replace(plan, missing="error") if plan.missing == "drop" else plan
            for name, plan in schema.table.plans.items()
        }
        return replace(schema.table, layout=layout, missing=gaps, plans=plans)
    features = schema.features
    return Columns(layout, list(features) if features else list(names))


def file_table(
    path: Path, form: str, schema: Schema, keep: Sequence[str], unseen: Unseen | None
) -> tuple[Array, Kept, list[str]]:
    """x of a file as the network takes it, the Arrow columns to `keep`, and what is to be said. Raises DataError.

    x is (N, F), of a series windows (N, window, F), of a text (N,) bytes.
    """
    if schema.table is None:
        _no_table(schema, path)
    beside = schema.series.beside if schema.series is not None else []
    keep = keep or beside
    if schema.table is not None:
        layout = fitting(path, form, schema.table.layout, schema.table.needed)
    else:
        layout = guess(path, form, {}, schema.features or ())
    names = column_names(path, layout)
    columns = _columns(schema, layout, names)
    wanted = [columns.text] if columns.text else columns.features
    require(path, names, wanted, "the network was trained with it")
    require(path, names, keep, "to be kept")
    extra = [name for name in keep if name not in wanted]
    table = read_columns(path, layout, names, [*wanted, *extra], [*columns.texts, *extra])
    changed = [name for name in keep if name in wanted and name not in columns.texts]  # numbers, and dates as days
    written = raw_columns(path, layout, names, changed, changed) if changed else table
    kept = {name: written[name] if name in changed else table[name] for name in keep}
    x = _encoded(table, columns, unseen, str(path))
    if schema.series is None:
        return x, kept, []
    require(path, names, beside, "it says where rows of a series belong")
    order = read_columns(path, layout, names, beside, []) if beside else table
    return _series(x, kept, order, schema.series, str(path))


def arrow_table(
    table: Any, schema: Schema, keep: Sequence[str], unseen: Unseen | None, origin: str
) -> tuple[Array, Kept, list[str]]:
    """`file_table` of an Arrow table; `origin` says in errors where it comes from. Raises DataError."""
    if schema.table is None:
        _no_table(schema, Path(origin))
    layout = replace(schema.table.layout, form="memory") if schema.table is not None else Layout("memory")
    columns = _columns(schema, layout, table.column_names)
    wanted = [columns.text] if columns.text else columns.features
    for names, role in ((wanted, "the network was trained with it"), (keep, "to be kept")):
        require(Path(origin), table.column_names, names, role)
    kept = {name: table[name] for name in keep}
    x = _encoded(understood(table.select(wanted), layout, columns.texts, Path(origin)), columns, unseen, origin)
    if schema.series is None:
        return x, kept, []
    beside = schema.series.beside
    require(Path(origin), table.column_names, beside, "it says where rows of a series belong")
    order = understood(table.select(beside), layout, [], Path(origin)) if beside else table
    return _series(x, kept or {name: table[name] for name in beside}, order, schema.series, origin)


def _series(x: Array, kept: Kept, table: Any, series: Series, origin: str) -> tuple[Array, Kept, list[str]]:
    """Windows of rows, with what is kept of the row at which each ends."""
    import pyarrow as pa

    x, ends, notes = latest(series, origin, track(table, series, origin), x)
    kept = {name: column.take(ends) for name, column in kept.items()}
    return x, kept or {"row": pa.chunked_array([ends])}, notes


def _numeric(column: Any, name: str, columns: Columns, origin: str) -> Any:
    """A column that must hold numbers. Raises DataError for the first other value."""
    import pyarrow as pa

    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return column
    written = re.compile(plain_number(columns.layout.decimal, columns.layout.thousands))
    for row, text in enumerate(column.to_pylist(), 1):
        if text is not None and not written.fullmatch(text.strip()):
            date = name in columns.plans and columns.plans[name].type == "date"
            what = "a date, such as 2026-01-31" if date else "a number"
            raise DataError(f"{origin}, row {row}, column {name!r}: {text!r}; expected {what}")
    return column


def _no_table(schema: Schema, origin: Path) -> None:
    """Raise DataError where rows of a table cannot be what the network was trained on."""
    if schema.media is not None or sum(size != 1 for size in schema.shape) > 1:
        what = "images" if schema.images is not None else "sounds" if schema.sounds is not None else "arrays"
        raise DataError(f"{origin}: a table, but the network was trained on {what} of shape {schema.shape}")


def _encoded(table: Any, columns: Columns, unseen: Unseen | None, origin: str) -> Array:
    wanted = [columns.text] if columns.text else columns.features
    for name in wanted:
        if name not in columns.texts:
            table = table.set_column(table.column_names.index(name), name, _numeric(table[name], name, columns, origin))
    x = matrix(without_gaps(table.select(wanted), columns, [], Path(origin)), columns, origin, unseen=unseen)
    fill_gaps(columns, x)
    return x
