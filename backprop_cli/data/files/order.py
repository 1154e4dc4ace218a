"""The seeded order in which the rows of one file are dealt out to splits."""

from __future__ import annotations

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.seeds import generator


def dealt(rows: int, labels: Array | None, seed: int) -> Array:
    """Row numbers int64 (rows,), shuffled; with labels (rows,) so that every slice has each class at its share.

    Each class is spread evenly over the whole order: its k-th of n rows gets a random place in
    [k/n, (k + 1)/n).
    """
    rng = generator(seed, "deal")
    order = rng.permutation(rows)
    if labels is None:
        return order
    _, ids, counts = np.unique(labels[order], return_inverse=True, return_counts=True)
    by_class = np.argsort(ids, kind="stable")
    rank = np.empty(rows)
    rank[by_class] = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    return order[np.argsort((rank + rng.random(rows)) / counts[ids], kind="stable")]
