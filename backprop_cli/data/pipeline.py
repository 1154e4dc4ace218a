"""A chain of transforms with its buffers: raw rows in, what the network sees out."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.dataset import Split
from backprop_cli.data.gather import is_large, release
from backprop_cli.data.transform import Transform
from backprop_cli.errors import BuildError, shortage

_FIT_ROWS = 4096
_FIT_BYTES = 1 << 24
_CAST_BYTES = 1 << 24


def network_dtype(dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
    """What x becomes where no transform decides.

    Images (uint8), masks (bool) and floats become the network's float dtype. Wider integers are
    token ids and stay integers: int64, which NumPy indexes with. `{type: cast}` makes them floats.
    Raises BuildError for text.
    """
    if dtype.kind not in "biuf":
        raise BuildError(f"expected numbers, got values of dtype {dtype}; text needs {{type: tokenize}}", "transforms")
    return np.dtype(np.int64) if dtype.kind in "iu" and dtype != np.uint8 else float_dtype


def in_network_type(x: Array, float_dtype: np.dtype[Any]) -> Array:
    """x (N, …) in the dtype that the network takes, cast once rather than in every batch; bytes, booleans, texts and
    large arrays as they are."""
    if x.dtype.kind not in "fiu" or x.dtype == np.uint8 or is_large(x):
        return x
    wanted = network_dtype(x.dtype, float_dtype)
    if x.size * wanted.itemsize > _CAST_BYTES:
        return x
    with np.errstate(over="ignore"):  # what becomes infinite is told of when it is trained on
        return np.ascontiguousarray(x, wanted)


def network_input(
    transforms: Sequence[Transform], shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
) -> tuple[Shape, np.dtype[Any]]:
    """Shape and dtype of one row as the network sees it, from those of a raw row. Raises BuildError."""
    for transform in outside_training(transforms):
        shape, dtype = transform.output_shape(shape), transform.output_dtype(dtype, float_dtype)
    return shape, network_dtype(dtype, float_dtype)


class Pipeline:
    """Transforms bound to buffers for up to `rows` examples of one shape and dtype.

    `raw` is where the rows go in; a call with n gives (x, y) as views of buffers that the next
    call overwrites. Without `cast`, x stays what the last transform made of it.
    Raises BuildError where a transform cannot take the rows, or its buffer does not fit into memory.
    """

    def __init__(
        self,
        transforms: Sequence[Transform],
        shape: Shape,
        dtype: np.dtype[Any],
        float_dtype: np.dtype[Any],
        rows: int,
        cast: bool = True,
    ) -> None:
        self.raw = np.empty((rows, *shape), dtype)
        self._steps: list[tuple[Transform, Array, Array]] = []
        x = self.raw
        for transform in transforms:
            out_shape = transform.output_shape(x.shape[1:])
            out_dtype = transform.output_dtype(x.dtype, float_dtype)
            if lacking := shortage(rows * math.prod(out_shape) * out_dtype.itemsize):
                raise BuildError(f"a batch of {rows} rows of shape {out_shape} {lacking}", transform.type_name)
            fits = x.dtype == out_dtype and x[:1].size == np.prod(out_shape, dtype=int)
            out = (
                x.reshape(rows, *out_shape) if transform.in_place and fits else np.empty((rows, *out_shape), out_dtype)
            )
            self._steps.append((transform, x, out))
            x = out
        final = network_dtype(x.dtype, float_dtype) if cast else x.dtype
        self._before_cast = x
        self.x = x if x.dtype == final else np.empty(x.shape, final)

    def __call__(self, n: int, y: Array, rng: np.random.Generator | None = None) -> tuple[Array, Array]:
        """Transform the first n rows of `raw`, whose targets are y (n, …): x and y, each (n, …). Raises DataError."""
        for transform, x, out in self._steps:
            y = transform.apply(x[:n], y, out[:n], rng if transform.augments else None)
        if self.x is not self._before_cast:
            np.copyto(self.x[:n], self._before_cast[:n], casting="unsafe")
        return self.x[:n], y


def class_names(transforms: Sequence[Transform], classes: Sequence[str] | None) -> Sequence[str]:
    """What class ids of the targets stand for after the transforms; empty where these put other targets there."""
    return () if any(step.new_targets for step in transforms) else classes or ()


def outside_training(transforms: Sequence[Transform]) -> list[Transform]:
    """The transforms that also run in evaluation and prediction."""
    return [transform for transform in transforms if transform.always or not transform.augments]


def fit_transforms(transforms: Sequence[Transform], train: Split, float_dtype: np.dtype[Any]) -> None:
    """Fit each transform on the training split as the ones before it leave it, block by block.

    Augmentation is left out: statistics are those of the data itself. Raises DataError, BuildError.
    """
    widest = max(1, train.x[:1].nbytes, *_row_bytes(transforms, train, float_dtype))
    rows = max(1, min(_FIT_ROWS, len(train), _FIT_BYTES // widest))
    for i, transform in enumerate(transforms):
        before = outside_training(transforms[:i])

        def chunks(before: Sequence[Transform] = before) -> Iterator[tuple[Array, Array]]:
            pipeline = Pipeline(before, train.x.shape[1:], train.x.dtype, float_dtype, rows, cast=False)
            for start in range(0, len(train), rows):
                n = min(rows, len(train) - start)
                np.copyto(pipeline.raw[:n], train.x[start : start + n])
                x, y = pipeline(n, np.asarray(train.y[start : start + n]))
                yield x, y
                release(train.x)

        transform.fit(chunks, train.y)


def _row_bytes(transforms: Sequence[Transform], train: Split, float_dtype: np.dtype[Any]) -> Iterator[int]:
    """The bytes of a row after each transform, as far as that is known before they are fitted."""
    shape, dtype = train.x.shape[1:], train.x.dtype
    with suppress(BuildError):  # which `fit_transforms` raises again, or which fitting mends
        for transform in outside_training(transforms):
            shape, dtype = transform.output_shape(shape), transform.output_dtype(dtype, float_dtype)
            yield math.prod(shape) * dtype.itemsize


def transforms_state(transforms: Sequence[Transform]) -> dict[str, Array]:
    """What every transform learned, as `0.mean`: position in the list, then name."""
    return {f"{i}.{name}": value for i, transform in enumerate(transforms) for name, value in transform.state().items()}


def load_transforms_state(transforms: Sequence[Transform], state: dict[str, Array]) -> None:
    """Put back what `transforms_state` gave."""
    for i, transform in enumerate(transforms):
        own = {name.partition(".")[2]: v for name, v in state.items() if name.partition(".")[0] == str(i)}
        if own:
            transform.load_state(own)
