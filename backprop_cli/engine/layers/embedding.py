from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Initializer, Layer, PositiveInt, layer
from backprop_cli.errors import BuildError, DataError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("embedding")
class Embedding(Layer):
    """A row of a table for every token id.

    y[n, t] = W[x[n, t]]          x (N, T) integers in 0 … V − 1   W (V, D)   y (N, T, D)
    dW[i] = Σ dy[n, t] over x[n, t] = i          ids have no gradient
    V is `input_dim`, D is `output_dim`. With `mask_zero` id 0 is padding: those steps are masked.
    Raises DataError for an id outside the table. Bengio et al. 2003, JMLR 3:1137
    """

    listed_under = "Dense and embedding"

    input_dim: Annotated[PositiveInt, Doc("rows of the table: ids 0 … input_dim − 1")]
    output_dim: Annotated[PositiveInt, Doc("numbers in the vector of an id")]
    mask_zero: Annotated[bool, Doc("id 0 is padding: those steps do not count")] = False
    embeddings_initializer: Annotated[Initializer, Doc("first values of the table")] = "uniform"

    integer_input = True
    acts_as = "linear"

    W: Array = slot()
    dW: Array = slot()
    touched_W: Array = slot()
    sorted_rows: Array = slot()

    examples = [
        {"options": {"input_dim": 5, "output_dim": 3}, "inputs": [(4,)]},
        {"options": {"input_dim": 4, "output_dim": 1, "mask_zero": True}, "inputs": [(1,)]},
        {"options": {"input_dim": 9, "output_dim": 2}, "inputs": [(2, 3)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        self.parameter("W", (self.input_dim, self.output_dim), self.embeddings_initializer, table=True)
        self.workspace("sorted_rows", (*shape, self.output_dim), temporary=True)
        if self.mask_zero:
            if len(shape) != 1:
                raise BuildError(f"mask_zero takes sequences of ids, shape (T,), got {shape}")
            self.makes_mask(shape[0])
        return (*shape, self.output_dim)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        low, high = x.min(), x.max()
        if low < 0 or high >= self.input_dim:
            raise DataError(
                f"token id {low if low < 0 else high} has no row in an embedding of {self.input_dim}; "
                f"expected ids 0 to {self.input_dim - 1}; set input_dim to the size of the vocabulary"
            )
        self.kernels.gather(self.W, x.reshape(-1), y.reshape(-1, self.output_dim))
        if self.mask_zero:
            np.not_equal(x, 0, out=self.made_mask)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        if self.mask_zero:
            graph.made_mask = graph.add("Not", graph.add("Equal", x, 0))
        return graph.add("Gather", self.W, x, axis=0)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        rows, work = (array.reshape(-1, self.output_dim) for array in (dy, self.sorted_rows))
        self.kernels.scatter_rows(x.reshape(-1), rows, work, self.dW, self.touched_W)
