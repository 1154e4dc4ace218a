"""The base of every transform: what happens to a batch between the dataset and the network."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Component, register
from backprop_cli.registry import slot as slot

#: called as often as needed; each call walks through the training split in blocks of rows (x, y)
Chunks = Callable[[], Iterator[tuple[Array, Array]]]


def transform(name: str, *aliases: str) -> Any:
    """Class decorator: registers a transform under `transforms: [{type: name, …}]`."""
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
    always: ClassVar[bool] = False  # augments, and outside training runs without a generator
    spares_codes: ClassVar[bool] = False  # leaves the columns in `codes` as they are
    mixes: ClassVar[bool] = False  # makes rows of several
    new_targets: ClassVar[bool] = False  # puts others in the place of the source's: class names do not apply to them
    onnx_exact: ClassVar[bool] = False  # `onnx` takes x in its own type; else x is made float32 where y is
    in_place: ClassVar[bool] = False  # `apply` works when `out` is the memory of x itself

    codes: Sequence[int] = slot()  # columns of x that hold codes of categories; whoever loads the data says it
    rate: int | None = slot()  # samples a second of sounds (Hz); likewise

    def __post_init__(self) -> None:
        super().__post_init__()
        self.codes = ()
        self.rate = None

    def know(self, classes: Sequence[str] | None) -> None:
        """Hear, before `fit`, what the class ids of y stand for; None where y holds values."""

    def fit(self, chunks: Chunks, y: Array) -> None:
        """Learn from the training split: x and y in blocks of rows, already through the transforms
        before this one, or the raw targets y (N, …) alone. Raises DataError."""

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

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        """Shape (() for class ids) and dtype of one target after the transform."""
        return shape, dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        """Write the transformed batch x (n, …) into `out` and return the targets (y, or new ones).

        `rng` is None unless the transform augments and this is training. Raises DataError.
        """
        raise NotImplementedError  # only transforms that augment have it

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        """Add the operators that do outside training what `apply` does to x; the name of what comes out.

        A transform without this method can be used by bp, but not exported.
        """
        raise BuildError(f"{type(self).__name__} defines no onnx(self, graph, x)")


def as_float(x: Array, out: Array) -> Array:
    """x (n, …) in the dtype of `out` (n, …): x itself, or `out` with a copy (faster than a ufunc that converts)."""
    if x.dtype == out.dtype:
        return x
    np.copyto(out, x, casting="unsafe")
    return out


def minus(x: Array, mean: Array, out: Array) -> None:
    """out = x − mean, both (n, …), in float64 where x is wider than `out`: a date in seconds keeps its hours."""
    if x.dtype.itemsize > out.dtype.itemsize:
        np.subtract(x, mean, out=out, dtype=np.float64, casting="unsafe")
    else:
        np.subtract(as_float(x, out), mean.astype(out.dtype, copy=False), out=out)


def onnx_minus(graph: OnnxGraph, x: str, mean: Array) -> str:
    """Add the ONNX operators of `minus`; the name of x − mean."""
    if graph.wide:
        return graph.cast(graph.add("Sub", graph.cast(x, "float64"), graph.constant(mean, "float64")), "float32")
    return graph.add("Sub", x, mean)


def check_value(name: str, value: float, dtype: np.dtype[Any]) -> None:
    """Raise BuildError if x of this dtype cannot hold the value that fills gaps."""
    if dtype.kind in "iu" and not (np.iinfo(dtype).min <= value <= np.iinfo(dtype).max and value == int(value)):
        raise BuildError(f"value {value} does not fit into x of dtype {dtype}; put scale or cast before it", name)


def image_size(name: str, shape: Shape) -> tuple[int, int]:
    """Height and width of an image (H, W) or (H, W, C). Raises BuildError for anything else."""
    if len(shape) not in (2, 3):
        raise BuildError(f"expected images of shape (H, W) or (H, W, C), got rows of shape {shape}", name)
    return shape[0], shape[1]
