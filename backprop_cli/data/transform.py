"""The base of every transform: what happens to a batch between the dataset and the network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from backprop_cli.registry import Component, register

Array = npt.NDArray[Any]
Shape = tuple[int, ...]


def transform(name: str, *aliases: str) -> Any:
    """Class decorator: files a transform under `transforms: [{type: name, …}]`."""
    return register("transform", name, *aliases)


@dataclass(kw_only=True)
class Transform(Component):
    """One step from raw rows to what the network sees.

    A transform is fitted once, on the training split only; `state` is saved with the run, so that
    eval and predict apply the very same. Random ones (`augments`) run while training only, and draw
    from the generator they are given: a pure function of seed, epoch and batch.
    """

    augments: ClassVar[bool] = False

    def fit(self, x: Array, y: Array) -> None:
        """Look at the training split (N, …) once. Nothing to learn by default."""

    def state(self) -> dict[str, Array]:
        """What `fit` learned, by name."""
        return {}

    def load_state(self, state: dict[str, Array]) -> None:
        """Put back what `state` gave."""

    def output_shape(self, shape: Shape) -> Shape:
        """The shape of one example after the transform."""
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The dtype after the transform; `float_dtype` is the network's."""
        return float_dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        """Write the transformed batch x (n, …) into `out` and return the targets (y, or new ones)."""
        raise NotImplementedError
