from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.engine.masks import hidden, spans
from backprop_cli.engine.window import Border, borders
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("zero_padding", "zero_padding1d", "zero_padding2d", "zero_pad1d", "zero_pad2d")
class ZeroPadding(Layer):
    """Zeros, or another value, around an image, or before and after a sequence.

    y = x with `padding` of them at each side          x (N, H, W, C)   y (N, top + H + bottom, left + W + right, C)
    dx = the part of dy where x was                  x (N, T, F)      y (N, before + T + after, F)
    Of a padded sequence the zeros come right after the steps that count.
    `padding` is a number, [h, w], [[top, bottom], [left, right]], or [[before, after]] for sequences.
    """

    listed_under = "Shape"

    padding: Annotated[Border, Doc("zeros at each side: a number, one for each axis, or [before, after] pairs")] = 1
    value: Annotated[float, Doc("what is put there in the place of zeros")] = 0.0

    examples = [
        {"options": {}, "inputs": [(2, 3, 2)]},
        {"options": {"padding": [[0, 1], [2, 0]]}, "inputs": [(1, 2, 1)]},
        {"options": {"padding": [[2, 0]]}, "inputs": [(3, 2)]},
        {"options": {"padding": [1, 2], "value": -1.0}, "inputs": [(2, 1, 2)]},
        {"options": {"padding": [[1, 2]]}, "inputs": [(3, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (*places, channels) = shapes[0]
        if len(places) not in (1, 2):
            raise BuildError(f"zero_padding takes sequences (T, F) or images (H, W, C), got {shapes[0]}")
        sides = borders(self.padding, len(places))
        if self.value and self.has_mask:
            raise BuildError(f"padded sequences are continued with zeros; leave value: {self.value:g} out")
        if len(places) == 1:
            self.mask_rule = spans(places[0], places[0] + sum(sides[0]), 1, 1 - sum(sides[0]))
        self._inside = (slice(None), *(slice(b, b + length) for (b, _), length in zip(sides, places, strict=True)))
        return (*(before + length + after for (before, after), length in zip(sides, places, strict=True)), channels)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        y[...] = self.value
        if self.mask is not None:
            np.multiply(x, self.mask[..., None], out=y[self._inside])
            return
        np.copyto(y[self._inside], x)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        sides = borders(self.padding, len(graph.shapes[0]) - 1)
        before, after = ([0, *(side[end] for side in sides), 0] for end in (0, 1))
        return graph.add("Pad", hidden(graph, x, 0.0), np.array(before + after), self.value)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.copyto(dx, dy[self._inside])
            if self.mask is not None:
                np.multiply(dx, self.mask[..., None], out=dx)
