"""Windows over a table in time order: x is what was known in `window` rows, y what came in the `horizon` after them.

A window lies whole in one series (`by`), in one split, and between two gaps in time, so that nothing leaks from
one into the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.dataset import Split
from backprop_cli.data.files.keys import codes, moments
from backprop_cli.data.files.memory import check_room
from backprop_cli.data.schema import Series
from backprop_cli.errors import DataError

_LONGER = 1.5  # times the usual step: a longer step is a gap; a month of 31 days is not


@dataclass(frozen=True)
class Track:
    """Of each row of a table (N,): the number of its series, its moment, its row in the file; and what the series are
    called."""

    series: Array
    moments: Array
    rows: Array
    names: list[str]


def track(table: Any, series: Series, origin: str, rows: Array | None = None) -> Track:
    """The series and moment of each row of an Arrow table. Raises DataError for two of one moment or a missing one."""
    n = len(table)
    rows = np.arange(n) if rows is None else rows
    series_of = codes(table[series.by], series.by, "by", origin) if series.by else np.zeros(n, np.int64)
    when = moments(table[series.time], series.time, origin) if series.time else np.arange(n, dtype=np.float64)
    names = [""] * (int(series_of.max(initial=0)) + 1)
    if series.by:
        first = np.unique(series_of, return_index=True)[1]
        names = [str(table[series.by][int(row)].as_py()) for row in first]
    order = np.lexsort((when, series_of))
    twice = np.flatnonzero((np.diff(series_of[order]) == 0) & (np.diff(when[order]) == 0))
    if len(twice):
        a, b = sorted(order[twice[0] : twice[0] + 2].tolist())
        remedy = "keep one of them" if series.by else "set dataset.by to the column that tells their series apart"
        of = f" of {names[series_of[a]]!r}" if series.by else ""
        raise DataError(f"{origin}, rows {rows[a] + 1} and {rows[b] + 1}: the same {series.time!r}{of}; {remedy}")
    return Track(series_of, when, rows, names)


@dataclass(frozen=True)
class Windows:
    """The row numbers (N,), series by series in time order, and the places (n,) in this order where windows start."""

    order: Array
    starts: Array
    possible: int  # windows that there would be without splits and gaps
    gaps: Array  # rows of the file that a gap follows

    def of(self, x: Array, window: int) -> Array:
        """The first `window` rows of each window: (n, window, F), a view where all lie behind each other. Raises
        DataError where they would not fit into memory."""
        rows = x[self.order]
        every = np.moveaxis(np.lib.stride_tricks.sliding_window_view(rows, window, axis=0), -1, 1)
        if len(self.starts) and np.array_equal(self.starts, self.starts[0] + np.arange(len(self.starts))):
            return every[self.starts[0] : self.starts[0] + len(self.starts)]
        check_room(len(self.starts) * every[:1].nbytes, f"{len(self.starts):,} windows", "set a larger dataset.stride")
        return every[self.starts]


def windows(track: Track, length: int, gaps: str, stride: int = 1, parts: Array | None = None) -> Windows:
    """Where windows of `length` rows lie: each `stride` after the last, none across two series, two of the `parts`
    (N,), or a gap in time unless `gaps` is ignore."""
    order = np.lexsort((track.moments, track.series))
    series, when = track.series[order], track.moments[order]
    change = np.diff(series) != 0
    counts = np.bincount(series, minlength=len(track.names))
    possible = int(np.maximum(counts - length + 1, 0).sum())
    far = np.zeros(len(change), bool)
    steps = np.diff(when)
    for one in np.unique(series) if gaps == "split" else ():
        inside = np.flatnonzero(~change & (series[1:] == one))
        if len(inside):
            far[inside] = steps[inside] > _LONGER * np.median(steps[inside])
    breaks = change | far
    if parts is not None:
        breaks = breaks | (np.diff(parts[order]) != 0)
    run = np.concatenate([[0], np.cumsum(breaks)])
    first = np.concatenate([[0], np.flatnonzero(breaks) + 1])[run]  # where the run of each row begins
    starts = np.arange(max(0, len(order) - length + 1))
    whole = run[starts] == run[starts + length - 1]
    starts = starts[whole & ((starts - first[starts]) % stride == 0)]
    return Windows(order, starts, possible, track.rows[order[np.flatnonzero(far)]])


@dataclass(frozen=True)
class Cut:
    """The windows of each split, with the rows of the file where what they predict begins, and what is to be said."""

    splits: dict[str, Split]
    said: str


def cut(
    series: Series,
    stride: int,
    origin: str,
    track: Track,
    x: Array,
    y: Array,
    splits: Mapping[str, Array],
) -> Cut:
    """The windows of each split, given its rows. x (N, F) and y (N, K) or (N,) are those of single rows. Raises
    DataError for a split without a window."""
    if y.ndim == 1 and series.horizon > 1:
        raise DataError(
            f"{origin}: target {series.targets[0]!r} holds classes, of which one is predicted; expected "
            f"dataset.horizon: 1, got {series.horizon}; dataset.task: regression makes numbers values"
        )
    part = np.full(len(x), -1)
    for i, rows in enumerate(splits.values()):
        part[rows] = i
    length = series.window + series.horizon
    every = windows(track, length, series.gaps, 1, part)
    taken = windows(track, length, series.gaps, stride, part) if stride > 1 else every
    of = part[every.order][taken.starts]
    names = np.array(track.names)
    parts, said = {}, []
    for i, name in enumerate(splits):
        own = Windows(taken.order, taken.starts[of == i], 0, taken.gaps)
        if not len(own.starts):
            raise DataError(
                f"split {name}: {len(splits[name]):,} rows have no window of {series.window} rows and the "
                f"{series.horizon} after them{_why(every, series)}; shorten dataset.window, or give it a larger share"
            )
        after = every.order[own.starts[:, None] + np.arange(series.window, length)]
        parts[name] = Split(
            own.of(x, series.window),
            y[after[:, 0]] if y.ndim == 1 else y[after].reshape(len(after), -1),
            rows=track.rows[after[:, 0]],
            series=names[track.series[after[:, 0]]],
        )
        said.append(f"{name} {len(own.starts):,}")

    out = every.possible - len(every.starts)
    left = f"; {out:,} that would reach across two splits or a gap are left out" if out else ""
    return Cut(parts, f"{origin}: windows of {series.window} rows and the {series.horizon} after them: "
                      f"{', '.join(said)}{left}{_why(every, series)}")  # fmt: skip


def _why(every: Windows, series: Series) -> str:
    """The gaps in time, which windows do not reach across."""
    if not len(every.gaps):
        return ""
    many = f"{len(every.gaps):,} gaps" if len(every.gaps) > 1 else "1 gap"
    return (
        f" ({many} in {series.time!r}, the first after row {every.gaps[0] + 1}; dataset.gaps: ignore takes rows as "
        "they follow)"
    )


def latest(series: Series, origin: str, track: Track, x: Array) -> tuple[Array, Array, list[str]]:
    """Every window of rows without targets: (n, window, F), the row at which each ends, and what is to be said. Raises
    DataError where there is none."""
    every = windows(track, series.window, series.gaps)
    if not len(every.starts):
        counts = np.bincount(track.series, minlength=len(track.names))
        raise DataError(
            f"{origin}: at most {counts.max():,} rows of a series, and the network reads {series.window} at a time"
            f"{_why(every, series)}"
        )
    notes = []
    ends = every.order[every.starts + series.window - 1]
    none = [name for i, name in enumerate(track.names) if name and i not in {*track.series[ends].tolist()}]
    if none:
        notes.append(
            f"{origin}: no answer for {', '.join(none[:5])}{', …' if len(none) > 5 else ''}: fewer than "
            f"{series.window} rows behind each other"
        )
    if len(every.gaps):
        notes.append(f"{origin}: no window reaches across a gap{_why(every, series)}")
    return every.of(x, series.window), ends, notes
