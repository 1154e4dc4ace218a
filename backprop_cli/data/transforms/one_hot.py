from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, slot, transform
from backprop_cli.errors import DataError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


def one_hot(ids: Array, classes: int, dtype: np.dtype[Any], what: str) -> Array:
    """1 at each id, 0 elsewhere: ids (…) ↦ (…, classes). Raises DataError for ids outside 0 … classes − 1."""
    check_ids(ids, classes, what)
    rows = np.zeros((*ids.shape, classes), dtype)
    np.put_along_axis(rows, ids[..., None], 1, axis=-1)
    return rows


def check_ids(ids: Array, classes: int, what: str) -> None:
    """Raise DataError for ids (…) outside 0 … classes − 1, and for ids that are not integers."""
    check_integers(ids, what)
    if ids.size and (ids.max() >= classes or ids.min() < 0):
        worst = ids.max() if ids.max() >= classes else ids.min()
        raise DataError(f"{what}: id {worst} is outside 0 … {classes - 1}; the training split had {classes} classes")


def check_integers(ids: Array, what: str) -> None:
    """Raise DataError for ids (…) of another dtype than integers or booleans."""
    if ids.dtype.kind not in "iub":
        raise DataError(f"{what}: expected integer ids, got {ids.dtype}")


@transform("one_hot")
class OneHot(Transform):
    """Ids as rows with a single 1: class ids of y (N,) ↦ (N, K), or token ids of x (N, T) ↦ (N, T, K).

    K is `classes`, or the largest id of the training split + 1. Raises DataError for other ids.
    """

    in_place: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True

    of: Annotated[
        Literal["target", "input"], Doc("whether class ids of the target or token ids of the input become one-hot")
    ] = "target"
    classes: Annotated[
        Annotated[int, Ge(1)] | None, Doc("length of a row; by default the largest id of the training split + 1")
    ] = None

    count: int = slot()
    floats: np.dtype[Any] = slot()

    def know(self, classes: Sequence[str] | None) -> None:
        if self.of == "target" and classes is not None:
            self.count = len(classes)

    def fit(self, chunks: Chunks, y: Array) -> None:
        if self.of == "target":
            check_integers(y, "one_hot of the target")
        if self.classes is None and not (self.of == "target" and self.count):
            largest = y.max() if self.of == "target" else max(x.max() for x, _ in chunks())
            self.count = int(largest) + 1

    def state(self) -> dict[str, Array]:
        return {"count": np.array(self._classes())}

    def load_state(self, state: dict[str, Array]) -> None:
        self.count = int(state["count"])

    def _classes(self) -> int:
        return self.classes or self.count or 1

    def output_shape(self, shape: Shape) -> Shape:
        return (*shape, self._classes()) if self.of == "input" else shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        self.floats = float_dtype
        return float_dtype if self.of == "input" else dtype

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        return ((*shape, self._classes()), float_dtype) if self.of == "target" else (shape, dtype)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        if self.of == "target":
            return x
        ids = graph.add("Unsqueeze", graph.cast(x, "int64"), np.array([-1]))
        return graph.cast(graph.add("Equal", ids, np.arange(self._classes())), "float32")

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        if self.of == "target":
            if not np.may_share_memory(x, out):
                np.copyto(out, x)
            return one_hot(y, self._classes(), self.floats, "one_hot of the target")
        check_ids(x, self._classes(), "one_hot of the input")
        np.equal(x[..., None], np.arange(self._classes()), out=out)
        return y
