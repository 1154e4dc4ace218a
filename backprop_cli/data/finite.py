"""Refuses data with NaN or infinity before they spread to every weight."""

from __future__ import annotations

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.gather import announce, release
from backprop_cli.errors import DataError

_BLOCK_BYTES = 1 << 24


def check_finite(dataset: Dataset) -> None:
    """Look through every float array once, block by block. Raises DataError with split, row and column."""
    for name, split in dataset.splits.items():
        check_array(f"{dataset.name}, split {name}: x", split.x, dataset.features)
        check_array(f"{dataset.name}, split {name}: y", split.y)


def check_array(owner: str, array: Array, features: list[str] | None = None) -> None:
    """Raises DataError for the first value that is not finite, counting rows from 0."""
    if array.dtype.kind != "f" or array.size == 0:
        return
    rows = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        block = array[start : start + rows]
        announce(array[start + rows : start + 2 * rows])
        # a sum is NaN or infinite if any value is, and costs a third of checking each
        with np.errstate(over="ignore", invalid="ignore"):
            suspicious = not np.isfinite(np.sum(block))
        if suspicious and not np.isfinite(block).all():
            where = np.argwhere(~np.isfinite(block))[0]
            row, inner = start + int(where[0]), tuple(int(i) for i in where[1:])
            raise DataError(
                f"{owner} has {array[(row, *inner)]} in row {row}{_column(inner, features)}; expected finite "
                "numbers; repair or drop the row"
            )
        release(array)


def _column(inner: tuple[int, ...], features: list[str] | None) -> str:
    if len(inner) == 1 and features:
        return f", column {features[inner[0]]!r}"
    if not inner:
        return ""
    return f", column {inner[0]}" if len(inner) == 1 else f" at {inner}"
