"""JSON as bp writes it: NaN and infinity become null."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def dumps(value: Any, **options: Any) -> str:
    """JSON, with null for NaN and infinities, which it does not have."""
    try:
        return json.dumps(value, allow_nan=False, **options)
    except ValueError:  # seldom: looking first takes as long as writing
        return json.dumps(finite(value), **options)


def finite(value: Any) -> Any:
    """The same, with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
