from __future__ import annotations

from typing import Annotated, Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Synthetic, numbered
from backprop_cli.errors import DataError, OptionError
from backprop_cli.registry import Doc, register


@register("synthetic", "points")
class Points(Synthetic):
    """The rows written in the config itself: `{name: points, x: [[0.05, 0.10]], y: [[0.01, 0.99]]}`.

    A flat list of integers in y is class ids; anything else is values.
    x (N, …) float64   y (N,) int64 class ids, or (N, K) float64 values
    Raises DataError where the lists are ragged, not numbers, or of different lengths.
    """

    x: Annotated[list[Any], Doc("the rows of x, as nested lists of numbers")]
    y: Annotated[list[Any], Doc("the target of each row: integers are class ids, lists are values")]

    @property
    def classes(self) -> list[str] | None:
        y = _numbers("y", self.y)
        return numbered(int(y.max()) + 1) if y.ndim == 1 and y.dtype.kind == "i" else None

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        x, y = _numbers("x", self.x).astype(np.float64), _numbers("y", self.y)
        if len(x) != len(y):
            raise OptionError(f"dataset.x has {len(x)} rows and dataset.y {len(y)}; expected the same number")
        if y.ndim == 1 and y.dtype.kind == "i":
            if y.min() < 0:
                raise DataError(f"dataset.y: class ids count from 0, got {y.min()}")
            return x, y
        return x, y.astype(np.float64).reshape(len(y), -1)


def _numbers(name: str, rows: list[Any]) -> Array:
    try:
        array = np.array(rows)
    except ValueError:
        raise DataError(f"dataset.{name}: rows of different lengths; expected all of the same") from None
    if array.dtype.kind not in "if" or array.size == 0:
        raise DataError(f"dataset.{name}: expected rows of numbers, got {rows!r}"[:200])
    if not np.isfinite(array).all():
        row = int(np.argwhere(~np.isfinite(array))[0][0])
        raise DataError(f"dataset.{name}, row {row}: not a finite number: {rows[row]!r}")
    return array
