"""The inner product of two vectors."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

__all__ = ["inner"]

Array = npt.NDArray[Any]


def inner(a: Array, b: Array) -> float:
    """Σ a b over two flat vectors, in no fixed order."""
    return float(a.dot(b))
