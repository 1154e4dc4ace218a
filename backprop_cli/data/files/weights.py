"""How much each row of a table counts in the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError


def weight_of(column: Any, name: str, path: Path) -> Array:
    """The weights in an Arrow column, float64 (N,). Raises DataError with the first that is not finite or below 0."""
    import pyarrow as pa

    owner = f"dataset.sample_weight: {path}, column {name!r}"
    kind = column.type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)):
        raise DataError(f"{owner}: holds {kind}, such as {column[0].as_py()!r}; expected numbers of at least 0")
    values: Array = column.cast(pa.float64()).to_numpy()
    wrong = np.flatnonzero(~np.isfinite(values) | (values < 0))
    if len(wrong):
        raise DataError(f"{owner}, row {wrong[0] + 1}: {values[wrong[0]]}; expected a number of at least 0")
    if not values.any():
        raise DataError(f"{owner}: every row has the weight 0; expected some that count")
    return values
