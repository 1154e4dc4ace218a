from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, check_value, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("pad", "truncate", "pad_sequences")
class Pad(Transform):
    """Sequences (N, T, …) at exactly `length` steps: short ones filled with `value`, long ones cut.

    `fill` is the end that is filled, `keep` the end that survives a cut.
    x (N, T, …) ↦ (N, length, …) of the same dtype   y as it is
    Raises BuildError for rows without an axis, and a `value` that x cannot hold.
    """

    length: Annotated[int, Ge(1), Doc("steps of every sequence afterwards")]
    value: Annotated[float, Doc("of the steps that are filled in")] = 0.0
    fill: Annotated[Literal["start", "end"], Doc("the end at which short sequences are filled")] = "end"
    keep: Annotated[Literal["start", "end"], Doc("the end of a long sequence that is kept")] = "start"

    def output_shape(self, shape: Shape) -> Shape:
        if not shape:
            raise BuildError("expected sequences (T, …), got one value a row", "pad")
        return (self.length, *shape[1:])

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        check_value(self.type_name, self.value, dtype)
        return dtype

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        length = graph.shapes[0][0]
        steps = min(self.length, length)
        first = 0 if self.keep == "start" else length - steps
        kept = graph.add("Slice", x, np.array([first]), np.array([first + steps]), np.array([1]))
        gap, others = self.length - steps, [0] * (len(graph.shapes[0]) - 1)
        before, after = (gap, 0) if self.fill == "start" else (0, gap)
        sides = np.array([0, before, *others, 0, after, *others])
        return graph.add("Pad", kept, sides, graph.constant(self.value, graph.kind))

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        steps = min(self.length, x.shape[1])
        kept = x[:, :steps] if self.keep == "start" else x[:, x.shape[1] - steps :]
        gap = self.length - steps
        out[:, : gap if self.fill == "start" else 0] = self.value
        out[:, self.length - gap if self.fill == "end" else self.length :] = self.value
        first = gap if self.fill == "start" else 0
        np.copyto(out[:, first : first + steps], kept)
        return y
