"""From the columns of a table to x: numbers as they are, categories as codes or one-hot, gaps refused or filled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.values import refuse_words
from backprop_cli.errors import DataError

_BLOCK_ROWS = 4096
EXAMPLES = 3  # categories shown in a note


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
    def needed(self) -> list[str]:
        """The columns of the file that x is made of."""
        return [self.text] if self.text else self.features

    @property
    def integers(self) -> bool:
        """Whether x is nothing but category codes."""
        return self.encoding == "integer" and set(self.features) == set(self.categories)


def without_gaps(table: Any, columns: Columns, targets: Sequence[str], path: Path) -> Any:
    """The table without rows that lack what may not be missing, and without spaces around labels and categories.
    Raises DataError that names the first row that lacks something."""
    table = _trimmed(table, columns.text)
    may_lack = set(columns.features) if columns.missing == "mean" else set()
    lacking = [name for name in table.column_names if table[name].null_count and name not in may_lack]
    if not lacking:
        return table
    import pyarrow.compute as pc

    keep = None
    for name in lacking:
        column = table[name]
        if columns.missing != "drop":
            row = pc.index(pc.is_null(column), True).as_py() + 1
            role = "the target" if name in targets else "a feature"
            advice = "missing: drop" if name in targets else "missing: mean or missing: drop"
            marks = f"; {', '.join(columns.layout.na_values)} is read as none" if columns.layout.na_values else ""
            raise DataError(
                f"{path}, row {row}, column {name!r}: no value ({role}; {column.null_count} rows lack it{marks}); "
                f"fill it in or set dataset.{advice}"
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


class Unseen:
    """Categories met that a model has not learnt. In one-hot columns they are none of the known ones: all zeros."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()  # values by column
        self.examples: dict[str, list[str]] = {}

    def add(self, name: str, values: Sequence[str]) -> None:
        """Note values of a column. A few examples are kept, however many come."""
        self.counts[name] += len(values)
        shown = self.examples.setdefault(name, [])
        shown += [each for each in dict.fromkeys(values) if each not in shown][: EXAMPLES + 1 - len(shown)]

    def notes(self, place: str) -> list[str]:
        """A sentence about each column that has some."""
        return [
            f"{place}, column {name!r}: {count:,} {'value' if count == 1 else 'values'} in categories that the model "
            f"has not learnt ({', '.join(map(repr, self.examples[name][:EXAMPLES]))}"
            f"{', …' if len(self.examples[name]) > EXAMPLES else ''}): read as none of the known ones"
            for name, count in self.counts.items()
        ]


def matrix(table: Any, columns: Columns, place: str, order: Array | None = None, unseen: Unseen | None = None) -> Array:
    """x (N, F) of a table, rows in the given order; text as (N,) bytes. Raises DataError.

    Missing numbers are NaN where `missing: mean` will fill them. Categories that are not among the known ones go to
    `unseen`; without it, and in columns of integer codes, they are an error.
    """
    if columns.text:
        texts = [(each or "").encode() for each in table[columns.text].to_pylist()]
        x = np.array(texts)
        return x if order is None else x[order]
    import pyarrow as pa

    x = np.zeros((len(table), len(columns.names())), np.int64 if columns.integers else np.float64)
    order = np.arange(len(x)) if order is None else order
    one_hot = columns.encoding == "one_hot"
    read = []
    for name in columns.features:
        known = columns.categories.get(name)
        values = (
            _numbers(table[name], name, columns, place)
            if known is None
            else _codes(table[name], name, columns, place, unseen if one_hot else None)
        )
        read.append((values, len(known) if known is not None and one_hot else 0))
        table = table.drop_columns([name])  # a large table and x are not to be in memory together
    pa.default_memory_pool().release_unused()
    for first in range(0, len(x), _BLOCK_ROWS):  # a block of x stays in the cache while its columns are filled
        rows = order[first : first + _BLOCK_ROWS]
        block, at = x[first : first + len(rows)], 0
        for values, width in read:
            if width:
                codes = values[rows]
                known_rows = np.flatnonzero(codes >= 0)  # −1 is a category that no column stands for
                block[known_rows, at + codes[known_rows]] = 1
            else:
                block[:, at] = values[rows]
            at += width or 1
    return x


def _numbers(column: Any, name: str, columns: Columns, place: str) -> Array:
    import pyarrow as pa

    kind = column.type
    is_numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        refuse_words(column, name, Path(place), columns.layout)
    if not any(test(kind) for test in is_numeric):
        raise DataError(
            f"{place}, column {name!r}: holds {kind}; expected numbers or categories; convert it to a number, or "
            "leave it out of dataset.features"
        )
    values = _floats(column)
    with np.errstate(invalid="ignore"):
        suspicious = not np.isfinite(values.sum())
    if suspicious:
        gaps = np.asarray(column.is_null()) if columns.missing == "mean" else np.zeros(len(values), bool)
        wrong = np.flatnonzero(~np.isfinite(values) & ~gaps)
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{place}, row {row + 1}, column {name!r}: {values[row]}, expected a finite number")
    return values


def _floats(column: Any) -> Array:
    """Numbers as float64, gaps as NaN."""
    import pyarrow as pa

    values: Array
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        values = column.cast(pa.float64()).to_numpy()
    else:  # Arrow's own way imports pandas, where it is installed: a third of a second
        values = np.concatenate([np.empty(0), *map(np.from_dlpack, column.chunks)])
    return values


def _codes(column: Any, name: str, columns: Columns, place: str, unseen: Unseen | None) -> Array:
    """The code of each row's category; −1 for one that is noted as unseen."""
    import pyarrow as pa
    import pyarrow.compute as pc

    known = columns.categories[name]
    column = column.cast(pa.string())
    if column.null_count and name in columns.fill:
        column = pc.fill_null(column, columns.fill[name])
    ids: Array = pc.index_in(column, pa.array(known, pa.string())).to_numpy()
    if ids.dtype.kind == "f":  # Arrow's nulls: a category that is not among the known ones
        if unseen is not None:
            odd = column.filter(pa.array(np.isnan(ids)))
            unseen.add(name, odd.to_pylist())
            return np.where(np.isnan(ids), -1, ids).astype(np.int32)
        row = int(np.flatnonzero(np.isnan(ids))[0])
        raise DataError(
            f"{place}, row {row + 1}, column {name!r}: category {column[row].as_py()!r} never occurs in the training "
            f"data, whose categories are {', '.join(known[:20])}"
        )
    codes: Array = ids.astype(np.int32)
    return codes


def learn_means(columns: Columns, train: Array) -> None:
    """The training split's mean of each column of numbers; 0 for one without any."""
    for i, name in enumerate(columns.names()):
        if name in columns.features and name not in columns.categories:
            known = train[:, i][~np.isnan(train[:, i])]
            columns.fill[name] = float(known.mean()) if len(known) else 0.0


def fill_gaps(columns: Columns, x: Array) -> None:
    """Put what was learned where numbers are missing."""
    for i, name in enumerate(columns.names()):
        if name in columns.fill and name not in columns.categories:
            np.copyto(x[:, i], columns.fill[name], where=np.isnan(x[:, i]))
