"""From the columns of a table to x: numbers as they are, categories as codes or one-hot, gaps refused or filled."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.features import encode
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.plan import Plan
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.files.values import refuse_words
from backprop_cli.errors import DataError

MIDDLES: dict[str, Callable[[Array], Any]] = {"mean": np.mean, "median": np.median}
_BLOCK_ROWS = 4096


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
    plans: dict[str, Plan] = field(default_factory=dict)  # of the columns that the config says more about
    units: dict[str, str] = field(default_factory=dict)  # of features and targets, where the config says them

    def names(self) -> list[str]:
        """The name of each column of x."""
        return [column for name in self.features for column in self._names(name)]

    def _names(self, name: str) -> list[str]:
        if name in self.plans:
            return self.plans[name].names(name)
        if name in self.categories and self.encoding == "one_hot":
            return [f"{name}={category}" for category in self.categories[name]]
        return [name]

    def groups(self) -> dict[str, list[int]]:
        """The columns of x that belong together: those of a column of the table, and each part of a date alone."""
        places: dict[str, list[int]] = {}
        at = 0
        for name in self.features:
            parts = self._names(name)
            alone = name in self.plans and bool(self.plans[name].parts)
            for column in parts:
                places.setdefault(column if alone else name, []).append(at)
                at += 1
        return places

    def codes(self) -> dict[int, int]:
        """The columns of x that hold codes for a category_embedding, with how many different ones each has."""
        counts, at = {}, 0
        for name in self.features:
            if name in self.plans and self.plans[name].codes:
                counts[at] = self.plans[name].codes
            at += len(self._names(name))
        return counts

    @property
    def texts(self) -> list[str]:
        """The columns that are read as text, whatever they look like."""
        own = [name for name, plan in self.plans.items() if plan.is_text]
        return [self.text] if self.text else [*self.categories, *own]

    def fills(self, name: str) -> bool:
        """Whether a gap in this feature gets a value."""
        return self.plans[name].fills if name in self.plans else self.missing in MIDDLES

    def drops(self, name: str) -> bool:
        """Whether a gap in this column drops its row."""
        return (self.plans[name].missing if name in self.plans else self.missing) == "drop"

    def told(self) -> dict[str, str]:
        """What was learnt for each feature, in words."""
        texts = {name: plan.told() for name, plan in self.plans.items()}
        for name, known in self.categories.items():
            shown = ", ".join(known[:6]) + (", …" if len(known) > 6 else "")
            texts[name] = f"category, {self.encoding}; {len(known)} categories ({shown})"
        for name, value in self.fill.items():
            texts[name] = f"{texts[name]}; gaps become {value}" if name in texts else f"number; gaps become {value}"
        return {name: texts[name] for name in self.features if name in texts}

    @property
    def needed(self) -> list[str]:
        """The columns of the file that x is made of."""
        return [self.text] if self.text else self.features

    @property
    def integers(self) -> bool:
        """Whether x is nothing but category codes."""
        return self.encoding == "integer" and set(self.features) == set(self.categories) and not self.plans


def matrix(
    table: Any,
    columns: Columns,
    origin: str,
    order: Array | None = None,
    unseen: Unseen | None = None,
    own: Mapping[str, tuple[Array, Array]] | None = None,
) -> Array:
    """x (N, F) of an Arrow table, rows in the given order (N,); text as (N,) bytes. Raises DataError.

    x is float64, or int64 where all columns are integer codes. Missing numbers are NaN where they will be filled.
    Categories that are not among the known ones go to `unseen`;
    without it, and in columns of integer codes, they are an error. `own` are (rows, values) of columns in which these
    rows have values of their own.
    """
    if columns.text:
        texts = [(text or "").encode() for text in table[columns.text].to_pylist()]
        x = np.array(texts)
        return x if order is None else x[order]
    import pyarrow as pa

    x = np.zeros((len(table), len(columns.names())), np.int64 if columns.integers else np.float64)
    order = np.arange(len(x)) if order is None else order
    one_hot = columns.encoding == "one_hot"
    read: list[tuple[Array, int]] = []
    parts = dict(zip(table.column_names, table.columns, strict=True))
    del table  # a large table and x are not to be in memory together
    for name in columns.features:
        column = parts.pop(name)
        if name in columns.plans:
            for column_of_x in encode(columns.plans[name], column, name, origin, unseen):
                read.append(column_of_x if isinstance(column_of_x, tuple) else (column_of_x, 0))
            if own and name in own:
                of_rows, mine = own[name]
                read[-1 - columns.plans[name].flag][0][of_rows] = mine
            continue
        known = columns.categories.get(name)
        values = (
            _numbers(column, name, columns, origin)
            if known is None
            else _codes(column, name, columns, origin, unseen if one_hot else None)
        )
        read.append((values, len(known) if known is not None and one_hot else 0))
        del column
    pa.default_memory_pool().release_unused()
    for first in range(0, len(x), _BLOCK_ROWS):  # a block of x stays in the cache while its columns are filled
        rows = order[first : first + _BLOCK_ROWS]
        block, at = x[first : first + len(rows)], 0
        for values, width in read:
            if width:
                codes = values[rows]
                known_rows = np.flatnonzero(codes >= 0)  # −1 is a category that no column stands for
                block[known_rows, at + codes[known_rows]] = 1
            elif values.ndim == 2:
                width = values.shape[1]
                block[:, at : at + width] = values[rows]
            else:
                block[:, at] = values[rows]
            at += width or 1
    return x


def _numbers(column: Any, name: str, columns: Columns, origin: str) -> Array:
    import pyarrow as pa

    kind = column.type
    is_numeric = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, pa.types.is_null)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        refuse_words(column, name, Path(origin), columns.layout)
    if not any(test(kind) for test in is_numeric):
        raise DataError(
            f"{origin}, column {name!r}: holds {kind}; expected numbers or categories; convert it to a number, or "
            "leave it out of dataset.features"
        )
    values = _floats(column)
    with np.errstate(invalid="ignore"):
        suspicious = not np.isfinite(values.sum())
    if suspicious:
        gaps = np.asarray(column.is_null()) if columns.missing in MIDDLES else np.zeros(len(values), bool)
        wrong = np.flatnonzero(~np.isfinite(values) & ~gaps)
        if len(wrong):
            row = int(wrong[0])
            raise DataError(f"{origin}, row {row + 1}, column {name!r}: {values[row]}, expected a finite number")
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


def _codes(column: Any, name: str, columns: Columns, origin: str, unseen: Unseen | None) -> Array:
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
            f"{origin}, row {row + 1}, column {name!r}: category {column[row].as_py()!r} never occurs in the training "
            f"data, whose categories are {', '.join(known[:20])}"
        )
    codes: Array = ids.astype(np.int32)
    return codes
