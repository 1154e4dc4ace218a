from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Ge, MaxLen, MinLen

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc

Place = Annotated[int, Ge(0)]


@layer("select")
class Select(Layer):
    """One of the parts of x along its first axis, or those of a range: one picture of a pair, some columns of a table.

    at: i         y = x[:, i]               x (N, K, …)   y (N, …)
    at: [i, j]    y = x[:, i : j]           x (N, K, …)   y (N, j − i, …)
    dx = dy where it came from, 0 elsewhere
    """

    listed_under = "Shape"

    at: Annotated[
        Place | Annotated[list[Place], MinLen(2), MaxLen(2)],
        Doc("which part, counted from 0; or [first, end] of a range, without its end"),
    ]

    keeps_linear = True
    passes_mask = False

    examples = [
        {"options": {"at": 1}, "inputs": [(2, 3)]},
        {"options": {"at": [1, 3]}, "inputs": [(4,)]},
        {"options": {"at": [0, 2]}, "inputs": [(3, 2, 2)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (length, *rest) = shapes[0]
        first, end = (self.at, self.at + 1) if isinstance(self.at, int) else self.at
        if not first < end <= length or (isinstance(self.at, int) and not rest):
            raise BuildError(
                f"select: at {self.at} of {length} parts; expected places below {length}, or a range [a, b]"
            )
        if self.has_mask:
            raise BuildError("select takes parts of pictures and tables, not steps of padded sequences; use crop")
        self._where = (slice(None), self.at if isinstance(self.at, int) else slice(first, end))
        return tuple(rest) if isinstance(self.at, int) else (end - first, *rest)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x[self._where])

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        if isinstance(self.at, int):
            return graph.add("Gather", x, self.at, axis=1)
        return graph.add("Slice", x, np.array(self.at[:1]), np.array(self.at[1:]), np.array([1]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = 0
            np.copyto(dx[self._where], dy)
