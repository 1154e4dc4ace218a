"""The inner product of two vectors."""

from __future__ import annotations

from backprop_cli.engine.arrays import Array

__all__ = ["inner"]


def inner(a: Array, b: Array) -> float:
    """Σ a b over two flat vectors, in no fixed order."""
    return float(a.dot(b))
