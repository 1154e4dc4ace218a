"""The base of every transform: what happens to a batch between the dataset and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from backprop_cli.registry import Component, register

Array = npt.NDArray[Any]
Shape = tuple[int, ...]
#: called as often as needed; each call walks through the training split in blocks of rows (x, y)
Chunks = Callable[[], Iterator[tuple[Array, Array]]]


def transform(name: str, *aliases: str) -> Any:
    """Class decorator: files a transform under `transforms: [{type: name, …}]`."""
    return register("transform", name, *aliases)


@dataclass(kw_only=True)
class Transform(Component):
    """One step from raw rows to what the network sees.

    A transform is fitted once, on the training split only; `state` is saved with the run, so that
    eval and predict apply the very same. Random ones (`augments`) run while training only, and draw
    from the generator they are given: a pure function of seed, epoch and batch.

    Shapes and dtypes are those of one example, without the batch axis.
    """

    augments: ClassVar[bool] = False
    in_place: ClassVar[bool] = False  # `apply` works when `out` is the memory of x itself

    def fit(self, chunks: Chunks) -> None:
        """Learn from the training split, already through the transforms before this one."""

    def state(self) -> dict[str, Array]:
        """What `fit` learned, by name."""
        return {}

    def load_state(self, state: dict[str, Array]) -> None:
        """Put back what `state` gave."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example after the transform. Raises BuildError where x does not fit."""
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of x after the transform; `float_dtype` is the network's."""
        return float_dtype

    def target_shape(self, shape: Shape) -> Shape:
        """The shape of one target after the transform: () for class ids."""
        return shape

    def target_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype of targets after the transform."""
        return dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        """Write the transformed batch x (n, …) into `out` and return the targets (y, or new ones).

        `rng` is None unless the transform augments.
        """
        raise NotImplementedError
