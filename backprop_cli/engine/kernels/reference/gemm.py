"""The matrix product."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["matmul"]

Array = npt.NDArray[Any]


def matmul(a: Array, b: Array, out: Array) -> None:
    """out = a b. Matrices, or transposed views of them; the last axis of `out` is contiguous."""
    np.matmul(a, b, out=out)
