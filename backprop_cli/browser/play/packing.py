"""Arrays as a page reads them."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.insight.filters import tile

MAX_TILE = 128  # pixels of a picture along each side


def packed(values: Array) -> dict[str, Any]:
    """An array as a page reads it: its shape, and its numbers as float32 in base64."""
    return {"s": list(values.shape), "f": b64encode(np.ascontiguousarray(values, np.float32).tobytes()).decode()}


def as_bytes(values: Array) -> str:
    """Numbers from 0 to 1 as bytes in base64."""
    return b64encode((np.clip(np.nan_to_num(values), 0, 1) * 255).round().astype(np.uint8).tobytes()).decode()


def as_tile(value: Array) -> dict[str, Any]:
    """A layer drawn as a whole: a picture of its numbers, their ends and their root mean square."""
    cells = tile(value)
    cells = cells[:: -(-cells.shape[0] // MAX_TILE), :: -(-cells.shape[1] // MAX_TILE)]
    low, high = float(np.nanmin(value)), float(np.nanmax(value))
    return {"shape": list(cells.shape), "low": low, "high": high, "rms": float(np.sqrt(np.mean(np.square(value)))),
            "cells": as_bytes((cells - low) / ((high - low) or 1))}  # fmt: skip
