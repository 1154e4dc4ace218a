from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar, Literal

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, slot, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("cast")
class Cast(Transform):
    """Whole numbers as real ones: integer columns of x that are quantities and not token ids, or
    (`of: target`) classes as values in one column, for a squared error: labels that are numbers as these
    numbers, two others as 0.0 and 1.0.

    x (N, …) ↦ (N, …) floats   y as it is; with `of: target` x as it is   y (N,) class ids ↦ (N, 1) floats
    Raises BuildError for more than two labels that are not numbers.
    """

    in_place: ClassVar[bool] = True

    of: Annotated[Literal["input", "target"], Doc("whether the input or the target becomes real numbers")] = "input"

    floats: np.dtype[Any] = slot()
    values: Array | None = slot()  # of the class ids

    def know(self, classes: Sequence[str] | None) -> None:
        if self.of == "input" or classes is None:
            return
        try:
            self.values = np.array([float(label) for label in classes])
        except ValueError:
            if len(classes) > 2:
                raise BuildError(
                    f"cast of the target makes values of labels, and {', '.join(classes[:6])} are no numbers; "
                    "use {type: one_hot} with a unit for each class",
                    self.type_name,
                ) from None

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        self.floats = float_dtype
        return float_dtype if self.of == "input" else dtype

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        return (shape or (1,), float_dtype) if self.of == "target" else (shape, dtype)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.cast(x, "float32") if self.of == "input" else x

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        if not np.may_share_memory(x, out):
            np.copyto(out, x, casting="unsafe")
        if self.of == "input":
            return y
        values = (y if self.values is None else self.values[y]).astype(self.floats)
        return values[:, None] if y.ndim == 1 else values
