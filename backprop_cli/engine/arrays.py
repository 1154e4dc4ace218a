"""The types of arrays and shapes, for the engine and every room above it."""

from typing import Any, TypeAlias

import numpy.typing as npt

Array: TypeAlias = npt.NDArray[Any]
Shape: TypeAlias = tuple[int, ...]


def matrix(a: Array) -> Array:
    """(…, K) as rows of K numbers."""
    return a.reshape(-1, a.shape[-1])
