"""Dates, times of day and lengths of time as people write them, and as numbers of days and hours."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from backprop_cli.errors import DataError

#: times of day, and lengths of time: hours, minutes and perhaps seconds
TIME = r"^(?P<h>\d{1,4}):(?P<m>[0-5]\d)(?::(?P<s>[0-5]\d(?:\.\d+)?))?$"
_DAY = 86_400_000_000  # µs
PEEK = 100  # values that tell whether a closer look pays


def hours(column: Any, cleaned: Callable[[Any], Any]) -> Any:
    """An Arrow column of text as hours (float64), if each value is a time of day or a length of time, such as 14:30 or
    1:02:03.5; else as it is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for part in (column.slice(0, PEEK), column):
        text = cleaned(part)
        if pc.all(pc.match_substring_regex(text, TIME)).as_py() is not True:
            return column
    parts = pc.extract_regex(text, TIME)
    hours, minutes, seconds = (pc.struct_field(parts, name) for name in ("h", "m", "s"))
    seconds = pc.if_else(pc.equal(seconds, ""), "0", seconds)
    minutes = pc.add(minutes.cast(pa.float64()), pc.divide(seconds.cast(pa.float64()), 60.0))
    return pc.add(hours.cast(pa.float64()), pc.divide(minutes, 60.0))


def days(column: Any, form: str | None, path: Path, name: str) -> Any:
    """An Arrow column of dates as days since 1970-01-01 (float64) with hours as a fraction, of times of day and lengths
    of time as hours; any other as it is. Raises DataError by row.

    `form` reads text, as strptime does; Arrow's own dates need none.
    """
    import pyarrow as pa

    kind = column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_temporal(kind)):
        return column
    import pyarrow.compute as pc

    if pa.types.is_time(kind) or pa.types.is_duration(kind):
        count = column.cast(pa.duration("us") if pa.types.is_duration(kind) else pa.time64("us")).cast(pa.int64())
        return pc.divide(count.cast(pa.float64()), _DAY / 24)
    if form is not None and (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        text = pc.utf8_trim_whitespace(column)
        moments = _strptime(text, form)
        wrong = pc.and_(pc.is_null(moments), pc.is_valid(text))
        if pc.any(wrong).as_py():
            row = pc.index(wrong, True).as_py()
            raise DataError(
                f"{path}, row {row + 1}, column {name!r}: {column[row].as_py()!r} is no date of the form {form}; "
                f"repair it, or set dataset.dates: {{{name}: FORMAT}}"
            )
        column, kind = moments, moments.type
    elif (pa.types.is_string(kind) or pa.types.is_large_string(kind)) and _is_iso(column):
        try:
            column, kind = pc.utf8_rtrim(column, "Z").cast(pa.timestamp("us")), pa.timestamp("us")
        except pa.ArrowInvalid:  # 2024-02-30
            return column
    if not (pa.types.is_date(kind) or pa.types.is_timestamp(kind)):
        return column
    moments = column.cast(pa.timestamp("us", getattr(kind, "tz", None))).cast(pa.int64())
    return pc.divide(moments.cast(pa.float64()), float(_DAY))


def day_of(days: float) -> str:
    """The date so many days after 1970-01-01, as 2024-01-31."""
    return (date(1970, 1, 1) + timedelta(days=float(days))).isoformat()


def _is_iso(column: Any) -> bool:
    """Whether text is dates such as 2024-01-31 or 2024-01-31T09:30:00.000Z, which Arrow knows in a CSV, but not where
    columns have types."""
    import pyarrow.compute as pc

    iso = r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d{1,6})?Z?)?)?$"
    parts = (column.slice(0, PEEK), column)
    return column.null_count < len(column) and all(
        pc.all(pc.match_substring_regex(part, iso)).as_py() for part in parts
    )


def _strptime(text: Any, form: str) -> Any:
    """Arrow's strptime, which depends on the system's for the names of months and for AM and PM."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if re.search(r"%[bBp]", form):
        from datetime import datetime

        def read(value: str | None) -> datetime | None:
            try:
                return None if value is None else datetime.strptime(value, form)
            except ValueError:
                return None

        return pa.chunked_array([pa.array([read(written) for written in text.to_pylist()], pa.timestamp("s"))])
    return pc.strptime(text, format=form, unit="s", error_is_null=True)
