"""The matrix product."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["add_matmul", "matmul"]


def matmul(a: Array, b: Array, out: Array) -> None:
    """out = a b. Matrices, or transposed views of them; the last axis of `out` is contiguous."""
    np.matmul(a, b, out=out)


def add_matmul(a: Array, b: Array, out: Array, scratch: Array) -> None:
    """out = out + a b; `scratch`, like out, is scratch memory."""
    np.matmul(a, b, out=scratch)
    np.add(out, scratch, out=out)
