from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.engine.masks import zeroed
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("masking")
class Masking(Layer):
    """Finds padding: a step does not count where all its features equal `mask_value`, or where it did not before.

    y = x at steps that count, else 0          dx = dy there, else 0          x, y (N, T, F)
    Recurrent layers hold their state over the other steps, attention and pooling do not look at them,
    and the loss of a sequence is the mean over the steps that count.
    """

    listed_under = "Sequences"

    mask_value: Annotated[float, Doc("a step whose features all equal this does not count")] = 0.0

    in_place = True

    differs: Array = slot()

    examples = [
        {"options": {}, "inputs": [(3, 2)]},
        {"options": {"mask_value": -1.0}, "inputs": [(1, 1)]},
        {"options": {}, "inputs": [(3, 2)], "padded": True},
    ]

    @property
    def needs_output(self) -> bool:
        return False

    def build(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 2:
            raise BuildError(f"masking takes sequences of shape (T, F), got {shapes[0]}")
        self.makes_mask(shapes[0][0])
        self.workspace("differs", shapes[0], np.bool_, temporary=True)
        return shapes[0]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.not_equal(x, self.mask_value, out=self.differs)
        np.any(self.differs, axis=-1, out=self.made_mask)
        if self.mask is not None:
            np.logical_and(self.made_mask, self.mask, out=self.made_mask)
        np.multiply(x, self.made_mask[..., None], out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        same = graph.add("Equal", x, float(self.mask_value))
        differs = graph.cast(graph.add("Not", same), "float32")
        counts = graph.add("ReduceMax", differs, axes=[-1], keepdims=1)
        counted, before = graph.cast(graph.add("Squeeze", counts, np.array([-1])), "bool"), graph.masks[0]
        graph.made_mask = counted if before is None else graph.add("And", counted, before)
        return zeroed(graph, x, graph.made_mask)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.multiply(dy, self.made_mask[..., None], out=dx)
