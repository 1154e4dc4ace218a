from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.column_reader import ColumnReader
from backprop_cli.engine.layer import Initializer, PositiveInt, layer
from backprop_cli.errors import BuildError, DataError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("category_embedding")
class CategoryEmbedding(ColumnReader):
    """A vector for each category of a table, beside its numbers.

    y = [x[:, numbers], W[o_1 + x[:, c_1]], …, W[o_J + x[:, c_J]]]          x (N, F)   W (Σ K_j + 1, D)
    o_j = K_1 + … + K_{j−1}   dW[i] = Σ dy over the rows that looked it up   numbers pass; codes have no gradient
    Which columns hold codes, and how many different ones, the data say: `encoding: embedding` in dataset.columns. A
    category that training lacks (a negative code) is the zero vector. Guo & Berkhahn 2016, arXiv:1604.06737
    """

    listed_under = "Dense and embedding"

    dimension: Annotated[PositiveInt, Doc("numbers in the vector of a category")] = 8
    numbers: Annotated[bool, Doc("pass the columns of numbers on, in front of the vectors")] = True
    embeddings_initializer: Annotated[Initializer, Doc("first values of the vectors")] = "uniform"

    W: Array = slot()
    dW: Array = slot()
    touched_W: Array = slot()
    ids: Array = slot()
    rounded: Array = slot()
    looked_up: Array = slot()
    sorted_rows: Array = slot()
    kept: Array = slot()

    examples = [
        {"options": {"dimension": 3, "columns": {"1": 5, "3": 6}}, "inputs": [(4,)]},
        {"options": {"dimension": 2, "numbers": False, "columns": {"0": 6}}, "inputs": [(3,)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        width = self.width(shapes[0])
        if not self.codes:
            raise BuildError(
                "no column holds codes of categories; set encoding: embedding for one in dataset.columns, or leave "
                "category_embedding out"
            )
        many = len(self.codes)
        self.kept = np.array([i for i in range(width) if self.numbers and i not in self.codes], np.int64)
        self.parameter("W", (sum(self.codes.values()) + 1, self.dimension), self.embeddings_initializer, table=True)
        self.workspace("ids", (many,), np.int64)
        self.workspace("rounded", (), temporary=True)
        self.workspace("looked_up", (many, self.dimension))
        self.workspace("sorted_rows", (many, self.dimension), temporary=True)
        return (len(self.kept) + many * self.dimension,)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        start, nothing = 0, len(self.W) - 1
        self.W[nothing] = 0
        for j, (column, count) in enumerate(self.codes.items()):
            codes = self.ids[:, j]
            np.rint(x[:, column], out=self.rounded)
            np.copyto(codes, self.rounded, casting="unsafe")
            if codes.max() >= count:
                raise DataError(f"column {column} of x holds the code {codes.max()}; expected codes up to {count - 1}")
            unknown = codes < 0
            np.add(codes, start, out=codes)
            codes[unknown] = nothing
            start += count
        np.take(self.W, self.ids, axis=0, out=self.looked_up, mode="clip")
        at = len(self.kept)
        for i, column in enumerate(self.kept):
            y[:, i] = x[:, column]
        y[:, at:] = self.looked_up.reshape(len(x), -1)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        parts = [graph.add("Gather", x, self.kept, axis=1)] if len(self.kept) else []
        start, table = 0, self.W.copy()
        table[-1] = 0
        for column, count in self.codes.items():
            code = graph.cast(graph.add("Round", graph.add("Gather", x, np.array([column]), axis=1)), "int64")
            rows = graph.add("Where", graph.add("Less", code, 0), len(table) - 1, graph.add("Add", code, start))
            vectors = graph.add("Gather", table, rows, axis=0)
            parts.append(graph.add("Reshape", vectors, np.array([0, self.dimension])))
            start += count
        return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        at = len(self.kept)
        rows, work = self.looked_up.reshape(-1, self.dimension), self.sorted_rows.reshape(-1, self.dimension)
        np.copyto(self.looked_up, dy[:, at:].reshape(self.looked_up.shape))
        self.kernels.scatter_rows(self.ids.reshape(-1), rows, work, self.dW, self.touched_W)
        self.dW[-1] = 0
        if dx is not None:
            dx[...] = 0
            for i, column in enumerate(self.kept):
                dx[:, column] = dy[:, i]
