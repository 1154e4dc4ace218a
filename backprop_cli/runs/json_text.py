"""JSON as bp writes it: NaN and infinity become null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any


def dumps(value: Any, **options: Any) -> str:
    """JSON, with null for NaN and infinities, which it does not have."""
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:  # seldom: looking first takes as long as writing
        return json.dumps(finite(value), **options)


def lines(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each row. Many that hold the same numbers, as those of short epochs, take a third of the time."""
    names, every = list(rows[0]), tuple(chain.from_iterable(row.values() for row in rows))
    plain = len(rows) > 1 and all(list(row) == names for row in rows) and {int, float}.issuperset(map(type, every))
    if not plain or not math.isfinite(sum(every)):
        return "".join(f"{dumps(row)}\n" for row in rows)
    form = ", ".join(json.dumps(name).replace("%", "%%") + ": %r" for name in names)
    return (f"{{{form}}}\n" * len(rows)) % every


def finite(value: Any) -> Any:
    """The same, with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
