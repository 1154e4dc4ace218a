from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.engine.masks import All, Joined
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("concat", "concatenate")
class Concat(Layer):
    """Inputs side by side along one axis (of an example; -1 is the last: channels or features).

    y = [x₁, x₂, …]          dxᵢ = its part of dy
    Beside each other, steps of sequences count where they do in every input; after each other, as they did.
    """

    listed_under = "Merging"

    axis: Annotated[int, Doc("of one example, along which inputs are joined; −1 is the last (channels)")] = -1

    merges = True
    keeps_linear = True

    examples = [
        {"options": {}, "inputs": [(3,), (2,)]},
        {"options": {"axis": 0}, "inputs": [(2, 2), (1, 2), (3, 2)]},
        {"options": {"axis": 0}, "inputs": [(2, 2), (3, 2)], "padded": True},
    ]

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        rank = len(shapes[0])
        if not -rank <= self.axis < rank:
            raise BuildError(f"axis {self.axis} does not exist in inputs of shape {shapes[0]}")
        self._axis = self.axis % rank
        others = {(*shape[: self._axis], *shape[self._axis + 1 :]) for shape in shapes}
        if len(others) != 1 or len({len(shape) for shape in shapes}) != 1:
            raise BuildError(
                f"concat takes inputs that differ along axis {self.axis} only, got {', '.join(map(str, shapes))}"
            )
        if rank > 1:
            sizes = tuple(shape[0] for shape in shapes)
            self.mask_rule = All(sizes[0]) if self._axis else Joined(sizes)
        total = sum(shape[self._axis] for shape in shapes)
        return (*shapes[0][: self._axis], total, *shapes[0][self._axis + 1 :])

    def forward(self, x: Sequence[Array], y: Array, training: bool) -> None:
        start, before = 0, (slice(None),) * (self._axis + 1)
        for source in x:
            stop = start + source.shape[self._axis + 1]
            np.copyto(y[(*before, slice(start, stop))], source)
            start = stop

    def onnx(self, graph: OnnxGraph, x: Sequence[str]) -> str:
        return graph.add("Concat", *x, axis=self._axis + 1)

    def backward(self, x: Sequence[Array], y: Array, dy: Array, dx: Sequence[Array | None]) -> None:
        start = 0
        before = (slice(None),) * (self._axis + 1)
        for gradient, source in zip(dx, x, strict=True):
            stop = start + source.shape[self._axis + 1]
            if gradient is not None:
                np.copyto(gradient, dy[(*before, slice(start, stop))])
            start = stop
