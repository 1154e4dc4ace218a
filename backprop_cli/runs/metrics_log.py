"""metrics.jsonl: one JSON object a line."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FLUSH_SECONDS = 0.5


class MetricsLog:
    """Appends rows; flushed at least twice a second, so that `tail -f` shows them."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._flushed = 0.0

    def write(self, row: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(finite(row)) + "\n")
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        self._file.flush()
        self._flushed = time.monotonic()


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a log. A torn last line is left out."""
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        if isinstance(row, dict):
            yield row


def finite(value: Any) -> Any:
    """The same, with null for NaN and infinities, which JSON does not have."""
    if isinstance(value, Mapping):
        return {key: finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
