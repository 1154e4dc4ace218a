"""The targets of a table: what kind they are, and their values as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.files.labels import MAX_INTEGER_CLASSES
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.values import is_number, refuse_numbers
from backprop_cli.errors import DataError


def is_text(kind: Any) -> bool:
    """Whether an Arrow type is text, or a dictionary of text."""
    import pyarrow as pa

    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def check_targets(
    table: Any, targets: Sequence[str], path: Path, layout: Layout, task: str | None, notes: list[str]
) -> None:
    """Raise DataError for labels of an Arrow table that look like numbers and cannot be read as such; add a note to
    `notes` on how 0.0 and 1.0 are read."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for name in targets:
        column = table[name]
        if is_text(column.type):
            values = [value for value in pc.unique(column.cast(pa.string())).to_pylist() if value is not None]
            refuse_numbers(values, column, name, path, layout, "set dataset.task: classification for classes")
        elif task is None and pa.types.is_floating(column.type):
            few = pc.unique(column)
            if len(few) <= MAX_INTEGER_CLASSES and pc.all(pc.equal(few, pc.floor(few))).as_py():
                notes.append(
                    f"{path}: target {name!r} is read as a number to predict: {len(few)} whole numbers written with "
                    "a decimal point; dataset.task: classification makes them classes"
                )


def target_values(table: Any, targets: Sequence[str]) -> Array:
    """The values of one column of an Arrow table as they are (N,), or of several (N, K)."""
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


def real_values(values: Array, targets: Sequence[str], path: Path) -> Array:
    """Targets (N,) or (N, K) as float64 (N, K). Raises DataError where they are not finite numbers."""
    if values.dtype.kind not in "iufb":
        columns = values.reshape(len(values), -1)
        name, value = next(
            ((name, value) for i, name in enumerate(targets) for value in columns[:, i] if not is_number(str(value))),
            (targets[0], values.flat[0]),
        )
        raise DataError(f"{path}: target {name} holds {str(value)!r}; expected numbers")
    values = values.astype(np.float64).reshape(len(values), -1)
    if not np.isfinite(values).all():
        row, column = (int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise DataError(f"{path}, row {row + 1}, column {targets[column]!r}: {values[row, column]}, expected a number")
    return values
