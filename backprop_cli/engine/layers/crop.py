from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.engine.masks import spans
from backprop_cli.engine.window import Border, borders
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@layer("crop", "cropping", "cropping1d", "cropping2d", "crop1d", "crop2d")
class Crop(Layer):
    """An image without its border, or a sequence without its ends.

    y = x[:, top : H − bottom, left : W − right]          x (N, H, W, C)
    y = x[:, before : T − after]                          x (N, T, F)
    dx = dy where it came from, 0 elsewhere
    Of a padded sequence the ends of what counts are cut off.
    `cropping` is a number, [h, w], [[top, bottom], [left, right]], or [[before, after]] for sequences.
    """

    listed_under = "Shape"

    cropping: Annotated[
        Border, Doc("places cut off each side: a number, one for each axis, or [before, after] pairs")
    ] = 1

    keeps_linear = True

    examples = [
        {"options": {}, "inputs": [(3, 4, 2)]},
        {"options": {"cropping": [[0, 1], [2, 0]]}, "inputs": [(2, 3, 1)]},
        {"options": {"cropping": [[2, 0]]}, "inputs": [(3, 2)]},
        {"options": {"cropping": [[1, 1]]}, "inputs": [(4, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (*places, channels) = shapes[0]
        if len(places) not in (1, 2):
            raise BuildError(f"crop takes sequences (T, F) or images (H, W, C), got {shapes[0]}")
        sides = borders(self.cropping, len(places))
        left = tuple(length - before - after for (before, after), length in zip(sides, places, strict=True))
        if min(left) < 1:
            raise BuildError(f"cropping {self.cropping} leaves nothing of {tuple(places)}; crop less")
        if len(places) == 1:
            self.mask_rule = spans(places[0], left[0], 1, 1 + sum(sides[0]))
        self._inside = (slice(None), *(slice(b, b + size) for (b, _), size in zip(sides, left, strict=True)))
        return (*left, channels)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x[self._inside])

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        inner = self._inside[1:]
        ends = [cut.stop - size for cut, size in zip(inner, graph.shapes[0], strict=False)]
        starts = np.array([cut.start for cut in inner])
        stops = np.array([end if end else np.iinfo(np.int64).max for end in ends])
        return graph.add("Slice", x, starts, stops, np.arange(1, 1 + len(inner)))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            dx[...] = 0
            np.copyto(dx[self._inside], dy)
