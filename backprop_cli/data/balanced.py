"""The same number of rows of every class."""

from __future__ import annotations

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.errors import DataError


def class_members(y: Array) -> list[Array]:
    """The row numbers (n,) of each class that occurs, by class id. Raises DataError unless y is class ids (N,)."""
    if y.ndim != 1 or y.dtype.kind not in "iub":
        raise DataError(
            f"balanced sampling needs one class id a row, integers of shape (N,); got {y.dtype} of shape {y.shape}"
        )
    order = np.argsort(y, kind="stable")
    _, starts = np.unique(np.asarray(y)[order], return_index=True)
    return np.split(order, starts[1:])


def draw(members: Array, count: int, rng: np.random.Generator) -> Array:
    """`count` of the members (n,), as (count,): every one equally often, the rest without repetition."""
    whole, rest = divmod(count, len(members))
    return np.concatenate([np.tile(members, whole), rng.permutation(members)[:rest]])
