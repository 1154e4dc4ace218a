from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.column_reader import ColumnReader
from backprop_cli.engine.layer import layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("number_columns")
class NumberColumns(ColumnReader):
    """The columns of a table that hold numbers, without those that hold codes of categories.

    y = x[:, numbers]          x (N, F)   y (N, F − J), J columns of codes; which these are, the data say
    dx[:, numbers] = dy, 0 elsewhere
    """

    listed_under = "Dense and embedding"

    keeps_linear = True
    kept: Array = slot()

    examples = [{"options": {"columns": {"1": 3}}, "inputs": [(4,)]}]

    def build(self, *shapes: Shape) -> Shape:
        width = self.width(shapes[0])
        self.kept = np.array([i for i in range(width) if i not in self.codes], np.int64)
        if not len(self.kept):
            raise BuildError("every column holds codes of categories; leave number_columns out")
        return (len(self.kept),)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.take(x, self.kept, axis=1, out=y, mode="clip")

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Gather", x, self.kept, axis=1)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = 0
            dx[:, self.kept] = dy
