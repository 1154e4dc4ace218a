"""How many answers of a batch are right. y is (n, K); `count` (1,) holds an integer."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["right_classes", "right_labels"]


def right_classes(y: Array, ids: Array, count: Array) -> None:
    """count = how often the largest number of a row stands at its place in `ids` (n,)."""
    count[0] = np.count_nonzero(y.argmax(axis=1) == ids)


def right_labels(y: Array, t: Array, threshold: float, count: Array) -> None:
    """count = how often y > threshold is what t > ½ is; t (n, K) holds numbers or integers."""
    count[0] = np.count_nonzero((y > threshold) == (t > 0.5))
