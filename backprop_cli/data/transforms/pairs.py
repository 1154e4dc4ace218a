from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, transform
from backprop_cli.errors import BuildError, DataError


@transform("pairs")
class Pairs(Transform):
    """Each row with another one of its batch: x ↦ (x, x′), y ↦ 0 where both are of one class, 1 where they are not.

    While training either is drawn with probability ½, and then the partner among those of its kind. Outside training
    rows of even number get the next row of their class, the others the next of another class; where there is none,
    and in predictions, where classes are not known, the next row.
    For siamese networks: the layer `select` takes the halves apart, the loss is `contrastive`.

    x (N, …) ↦ (N, 2, …)   y (N,) class ids ↦ (N,) int64, 0 or 1
    Raises DataError for targets that are not class ids, BuildError for texts.
    """

    augments: ClassVar[bool] = True
    always: ClassVar[bool] = True
    mixes: ClassVar[bool] = True
    new_targets: ClassVar[bool] = True

    def fit(self, chunks: Chunks, y: Array) -> None:
        if y.dtype.kind not in "iub" or y.ndim != 1:
            raise DataError("pairs compares class labels, and these targets are none; leave it out")

    def output_shape(self, shape: Shape) -> Shape:
        return (2, *shape)

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        if dtype.kind in "SUO":
            raise BuildError("texts cannot be paired; put tokenize before it", self.type_name)
        return dtype

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        return (), np.dtype(np.int64)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        ids = np.asarray(y).reshape(len(x), -1)[:, 0]
        other = partners(ids, rng)
        np.copyto(out[:, 0], x)
        np.copyto(out[:, 1], x[other])
        return np.asarray(ids != ids[other], np.int64)


def partners(ids: Array, rng: np.random.Generator | None) -> Array:
    """The number of the row that each row is compared with, int64 (n,), by class ids (n,); see `Pairs`."""
    n = len(ids)
    order = np.argsort(ids, kind="stable")
    rank = np.empty(n, np.int64)
    rank[order] = np.arange(n)
    _, inverse, count = np.unique(ids, return_inverse=True, return_counts=True)
    first = np.cumsum(count) - count  # of each class, among the rows in order
    start, size = first[inverse], count[inverse]
    alike = np.arange(n) % 2 == 0 if rng is None else rng.random(n) < 0.5
    within = (rank - start + (1 if rng is None else 1 + rng.integers(np.maximum(size - 1, 1)))) % size
    beyond = size + (0 if rng is None else rng.integers(np.maximum(n - size, 1)))
    same, different = order[start + within], order[(start + beyond) % n]
    after = (np.arange(n) + 1) % n
    return np.where(alike, np.where(size > 1, same, after), np.where(size < n, different, after))
