"""What every data source returns: named splits of arrays.

An example is a row: `x[i]` goes in, `y[i]` should come out. Arrays may be memory maps; nothing
here reads them whole.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from backprop_cli.data.arrays import Array

if TYPE_CHECKING:
    from backprop_cli.data.files.matrix import Columns
    from backprop_cli.data.schema import Images, Series, Sounds, Text


@dataclass(frozen=True)
class Split:
    """One part of a dataset: x (N, …) and y (N,) class ids, (N, K) values, or (N, T) per-step targets.

    `weight` (N,) is how much each row counts in the loss, with a mean of 1; `rows` (N,) its number in its file, from 0,
    of a window that of the first row it predicts; `series` (N,) what the series of a window is called.
    """

    x: Array
    y: Array
    weight: Array | None = None
    rows: Array | None = None
    series: Array | None = None

    def __len__(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Dataset:
    """Named splits with what is known about them. `source` is the one really used (a fallback, say)."""

    name: str
    source: str
    splits: dict[str, Split]
    classes: list[str] | None = None  # the names of class ids 0, 1, …; None for regression
    features: list[str] | None = None  # column names of x, where they have any
    origin: dict[str, Any] = field(default_factory=dict)  # version, files, fallback reason: goes to run.json
    notes: list[str] = field(default_factory=list)  # what was guessed or left out on reading, to be reported
    targets: list[str] = field(default_factory=list)  # column names of y, where they have any
    table: Columns | None = None  # how the columns of a table became x
    weight: str | None = None  # the column that says how much each row counts in the loss
    series: Series | None = None
    images: Images | None = None
    sounds: Sounds | None = None
    text: Text | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one row of x, without the axis of rows."""
        return tuple(next(iter(self.splits.values())).x.shape[1:])

    @property
    def input_dtype(self) -> np.dtype[Any]:
        """The dtype of x, as the first split has it."""
        return next(iter(self.splits.values())).x.dtype
