"""What is done about missing values: rows dropped or refused, means and medians learnt and put in their place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.matrix import MIDDLES, Columns
from backprop_cli.errors import DataError


def without_gaps(table: Any, columns: Columns, targets: Sequence[str], path: Path) -> Any:
    """The Arrow table without rows that lack what may not be missing, and without spaces around labels and categories.
    Raises DataError that names the first row that lacks something."""
    table = _trimmed(table, columns.text)
    may_lack = {name for name in columns.features if columns.fills(name)} - {*targets}
    lacking = [name for name in table.column_names if table[name].null_count and name not in may_lack]
    if not lacking:
        return table
    import pyarrow.compute as pc

    keep = None
    for name in lacking:
        column = table[name]
        if not columns.drops(name):
            row = pc.index(pc.is_null(column), True).as_py() + 1
            role = "the target" if name in targets else "a feature"
            advice = "drop" if name in targets else "mean or drop"
            marks = f"; {', '.join(columns.layout.na_values)} is read as none" if columns.layout.na_values else ""
            raise DataError(
                f"{path}, row {row}, column {name!r}: no value ({role}; {column.null_count} rows lack it{marks}); "
                f"fill it in, or train with dataset.missing: {advice}"
            )
        keep = pc.is_valid(column) if keep is None else pc.and_(keep, pc.is_valid(column))
    table = table.filter(keep)
    if not len(table):
        raise DataError(f"{path}: every row lacks a value, and missing: drop leaves none")
    return table


def _trimmed(table: Any, free: str | None) -> Any:
    """`yes ` is `yes`, and nothing but spaces is nothing; free text stays as it is."""
    for i, name in enumerate(table.column_names):
        if name != free and str(table[name].type) in ("string", "large_string"):
            import pyarrow.compute as pc

            trimmed = pc.utf8_trim_whitespace(table[name])
            table = table.set_column(i, name, pc.if_else(pc.equal(trimmed, ""), None, trimmed))
    return table


def learn_means(columns: Columns, train: Array) -> None:
    """Note in `columns.fill` the mean or median of each column of numbers of `train` (n, F); 0 for one without any."""
    for i, name in enumerate(columns.names()):
        if name in columns.features and name not in columns.categories and name not in columns.plans:
            known = train[:, i][~np.isnan(train[:, i])]
            columns.fill[name] = float(MIDDLES[columns.missing](known)) if len(known) else 0.0


def fill_gaps(columns: Columns, x: Array) -> None:
    """Put what was learnt where numbers of x (N, F) are missing (NaN), in place."""
    for i, name in enumerate(columns.names()):
        if name in columns.fill and name not in columns.categories:
            np.copyto(x[:, i], columns.fill[name], where=np.isnan(x[:, i]))
