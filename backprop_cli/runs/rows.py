"""Rows of metrics, kept by column: short epochs are many, and a dictionary for each costs more than to train it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import overload

from backprop_cli.runs.json_text import dumps

Row = dict[str, float]


class Rows(Sequence[Row]):
    """Rows that have the same names. `columns`: the values of each name, of the same length."""

    def __init__(self, columns: Mapping[str, Sequence[float]]) -> None:
        self.columns = columns
        self._length = len(next(iter(columns.values()), ()))

    @classmethod
    def of(cls, row: Mapping[str, float]) -> Rows:
        """A single row."""
        return cls({name: [value] for name, value in row.items()})

    def __len__(self) -> int:
        return self._length

    @overload
    def __getitem__(self, index: int) -> Row: ...
    @overload
    def __getitem__(self, index: slice) -> Rows: ...
    def __getitem__(self, index: int | slice) -> Row | Rows:
        if isinstance(index, slice):
            return Rows({name: values[index] for name, values in self.columns.items()})
        if not -self._length <= index < self._length:
            raise IndexError(index)
        return {name: values[index] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[Row]:
        names = tuple(self.columns)
        return (dict(zip(names, values, strict=True)) for values in zip(*self.columns.values(), strict=True))

    def json_lines(self) -> str:
        """A line of JSON for each row, with null for NaN and infinities."""
        if not self._length:
            return ""
        changing, form = [], []
        for name, values in self.columns.items():
            kinds = {int} if isinstance(values, range) else {*map(type, values)}
            if not kinds <= {int, float} or not math.isfinite(sum(values)):
                return "".join(f"{dumps(row)}\n" for row in self)
            key, first = json.dumps(name), values[0]
            if len(kinds) == 1 and first and values.count(first) == self._length:  # not 0.0: -0.0 equals it
                form.append(f"{key}: {first!r}".replace("%", "%%"))
            else:
                form.append(key.replace("%", "%%") + ": %r")
                changing.append(values)
        return (f"{{{', '.join(form)}}}\n" * self._length) % tuple(chain.from_iterable(zip(*changing, strict=True)))
