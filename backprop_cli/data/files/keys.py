"""Columns that say where rows belong: groups, moments, names of splits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError


@dataclass(frozen=True)
class Keys:
    """Columns that say where rows belong: codes of groups, moments, names of splits; each (N,) or None."""

    groups: Array | None = None
    times: Array | None = None
    names: Array | None = None


def keys_of(options: Any, table: Any, origin: str) -> Keys:
    """What the columns of a table say about where its rows belong, by the options of a source. Raises
    DataError."""
    group, time, names = options.group, options.time, options.split_column
    if options.window is not None and (group or names):
        time = None  # the order within windows, and no more
    elif options.window is not None and time is None:
        return Keys(times=np.arange(len(table), dtype=np.float64))
    return Keys(
        groups=codes(table[group], group, "group", origin) if group else None,
        times=moments(table[time], time, origin) if time else None,
        names=split_names(table[names], names, origin) if names else None,
    )


def codes(column: Any, name: str, role: str, origin: str) -> Array:
    """Codes 0, 1, … for the different values of an Arrow column, int64 (N,). Raises DataError where one is missing."""
    _check_whole(column, name, role, origin)
    encoded = column.combine_chunks().dictionary_encode()
    return np.asarray(encoded.indices.to_numpy(zero_copy_only=False), np.int64)


def moments(column: Any, name: str, origin: str) -> Array:
    """The moments of an Arrow column of numbers, or of dates as days since 1970, float64 (N,). Raises DataError."""
    import pyarrow as pa

    _check_whole(column, name, "time", origin)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise DataError(
            f"{origin}, row 1, column {name!r} (dataset.time): {column[0].as_py()!r} is no date or number; set "
            f"dataset.dates: {{{name}: FORMAT}}, such as %d.%m.%Y"
        )
    return np.asarray(column.cast(pa.float64()).to_numpy())


def split_names(column: Any, name: str, origin: str) -> Array:
    """The name of the split of each row, text (N,). Raises DataError where one is missing."""
    import pyarrow as pa

    _check_whole(column, name, "split_column", origin)
    return np.array(column.cast(pa.string()).to_pylist())


def _check_whole(column: Any, name: str, role: str, origin: str) -> None:
    import pyarrow.compute as pc

    if column.null_count:
        row = pc.index(pc.is_null(column), True).as_py() + 1
        raise DataError(f"{origin}, row {row}, column {name!r}: no value (dataset.{role}); fill it in, or drop the row")


def check_apart(groups: Mapping[str, Sequence[Any]], name: str) -> None:
    """Raise DataError for a group that stands in the files of two splits."""
    for i, (first, ours) in enumerate(groups.items()):
        for second, theirs in list(groups.items())[i + 1 :]:
            both = sorted({*ours} & {*theirs}, key=str)
            if both:
                raise DataError(
                    f"dataset.group: {len(both)} values of {name!r} are in both {first} and {second}, such as "
                    f"{both[0]!r}; expected each in one split: move its rows, or give one file and shares"
                )
