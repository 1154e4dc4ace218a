"""Refuses data with NaN or infinity before they spread to every weight."""

from __future__ import annotations

from typing import Any

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
    """Raise DataError for the first value of an array (N, …) that is not finite, counting rows from 0."""
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


def check_range(dataset: Dataset, dtype: np.dtype[Any]) -> None:
    """Refuse numbers that the network's float type cannot hold and would make infinite. Raises DataError with file,
    row, column and value."""
    files = dataset.origin.get("files", {})
    for name, split in dataset.splits.items():
        origin = str(files.get(name) or next(iter(files.values()), f"{dataset.name}, split {name}"))
        for array, names in ((split.x, dataset.features), (split.y, dataset.targets or None)):
            check_magnitude(array, dtype, origin, names, split.rows if dataset.series is None else None)


def check_magnitude(
    array: Array, dtype: np.dtype[Any], origin: str, names: list[str] | None, numbers: Array | None = None
) -> None:
    """`check_range` of one array (N, …); `numbers` (N,) are its rows' in their file, from 0. Raises DataError."""
    if array.dtype.kind != "f" or array.dtype.itemsize <= dtype.itemsize or not array.size:
        return
    largest = float(np.finfo(dtype).max)
    rows = max(1, _BLOCK_BYTES // max(1, array[:1].nbytes))
    for start in range(0, len(array), rows):
        flat = np.ravel(array[start : start + rows])
        with np.errstate(over="ignore"):
            if np.dot(flat, flat) <= largest**2:  # which one of them alone would exceed
                continue
        beyond = np.flatnonzero(np.abs(flat) > largest)
        if len(beyond):
            row, *inner = np.unravel_index(int(beyond[0]), (rows, *array.shape[1:]))
            at = int(row) + start if numbers is None else int(numbers[start + int(row)])
            raise DataError(
                f"{origin}, row {at + 1}{_column(tuple(map(int, inner)), names)}: {flat[beyond[0]]:g} is beyond "
                f"±{largest:.2g}, the largest number of {dtype}; repair it, drop the row, or set dtype: float64"
            )


def _column(inner: tuple[int, ...], features: list[str] | None) -> str:
    if len(inner) == 1 and features:
        return f", column {features[inner[0]]!r}"
    if not inner:
        return ""
    return f", column {inner[0]}" if len(inner) == 1 else f" at {inner}"
