from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.engine.masks import Cells, hidden, hide
from backprop_cli.engine.window import Sizes, each
from backprop_cli.errors import BuildError, shortage
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("upsampling", "upsampling1d", "upsampling2d", "up_sampling1d", "up_sampling2d", "upsample")
class Upsampling(Layer):
    """Every step or pixel repeated `size` times along each axis, or linearly interpolated between.

    y = A x Bᵀ, channel by channel          dx = Aᵀ dy B          x (N, H, W, C)   y (N, H·s, W·s, C), or (N, T·s, F)
    nearest: y[n, p, q] = x[n, ⌊p/s⌋, ⌊q/s⌋], so dx sums dy over the s·s copies of a pixel.
    linear: pixel centres are mapped, (p + ½)/s − ½, and kept inside, as in Keras and as in PyTorch with
    align_corners=False; a row of A (H·s, H) or B (W·s, W) holds the weights of the two neighbours. Steps that a
    mask leaves out get no weight, the other neighbour all of it.
    """

    listed_under = "Shape"

    size: Annotated[Sizes, Doc("factor along each axis; one number or one for each axis")] = 2
    interpolation: Annotated[
        Literal["nearest", "linear", "bilinear"],
        Doc("repeat the nearest value, or interpolate linearly (`bilinear` means the same)"),
    ] = "nearest"

    middle: Array = slot()
    clean: Array = slot()
    counted: Array = slot()
    share: Array = slot()

    keeps_linear = True

    examples = [
        {"options": {}, "inputs": [(2, 3, 2)]},
        {"options": {"size": 3}, "inputs": [(2, 1)]},
        {"options": {"size": [1, 2], "interpolation": "bilinear"}, "inputs": [(2, 3, 2)]},
        {"options": {"size": 3, "interpolation": "linear"}, "inputs": [(3, 1, 1)]},
        {"options": {"size": 2, "interpolation": "linear"}, "inputs": [(3, 2)]},
        {"options": {"size": 2}, "inputs": [(3, 2)], "padded": True},
        {"options": {"size": 3, "interpolation": "linear"}, "inputs": [(3, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (*places, channels) = shapes[0]
        if len(places) not in (1, 2):
            raise BuildError(f"upsampling takes sequences (T, F) or images (H, W, C), got {shapes[0]}")
        factors = each(self.size, len(places), "size")
        self._down, self._across = (1, *factors)[-2:]
        high, wide = (1, *places)[-2:]
        self._image = (high, wide, channels)
        tables = 3 * 8 * (high * high * self._down + wide * wide * self._across)
        if lacking := shortage(tables):
            raise BuildError(f"upsampling: {self.size} times {places} steps or pixels are too many: it {lacking}")
        if len(places) == 1:
            self.mask_rule = Cells(np.arange(wide * self._across)[None] // self._across)
        if self.interpolation != "nearest":
            if self.has_mask:
                self.workspace("clean", shapes[0], temporary=True)
                self.workspace("counted", (wide,), temporary=True)
                self.workspace("share", (wide * self._across,))
            self.workspace("middle", (high, wide * self._across, channels), temporary=True)
            self._A, self._B = _weights(high, self._down), _weights(wide, self._across)
        return (*(length * factor for length, factor in zip(places, factors, strict=True)), channels)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        blind = self.mask is not None and self.interpolation != "nearest"
        if blind:
            x = self._see(x)
        x = x.reshape(-1, *self._image)
        if self.interpolation == "nearest":
            np.copyto(self._copies(y), x[:, :, None, :, None])
            return
        n, high, wide, c = self.middle.shape
        np.matmul(self._B.astype(x.dtype), x, out=self.middle)
        np.matmul(self._A.astype(x.dtype), self.middle.reshape(n, high, -1), out=y.reshape(n, -1, wide * c))
        if blind:
            np.multiply(y, self.share[..., None], out=y)

    def _see(self, x: Array) -> Array:
        """x with zeros at the steps that do not count, and the share of the others in each step of y, inverted."""
        assert self.mask is not None, "asked where there is a mask"
        np.copyto(self.counted, self.mask)
        np.matmul(self.counted, self._B.T.astype(x.dtype), out=self.share)
        np.divide(1, self.share, out=self.share, where=self.share > 0)
        return hide(x, self.mask, 0, self.clean)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        rank, mask = len(graph.shapes[0]) - 1, graph.masks[0]
        share = None
        if mask is not None and self.interpolation != "nearest":
            x = hidden(graph, x, 0.0)
            share = graph.add("MatMul", graph.cast(mask, "float32"), self._B.T)
            share = graph.add("Where", graph.add("Greater", share, 0.0), graph.add("Reciprocal", share), 0.0)
        if rank == 1:
            x = graph.add("Unsqueeze", x, np.array([1]))
        scales = graph.constant([1, 1, self._down, self._across], "float32")
        mode = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
        if self.interpolation != "nearest":
            mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        y = graph.add("Resize", graph.add("Transpose", x, perm=[0, 3, 1, 2]), "", scales, **mode)
        y = graph.add("Transpose", y, perm=[0, 2, 3, 1])
        y = graph.add("Squeeze", y, np.array([1])) if rank == 1 else y
        return y if share is None else graph.add("Mul", y, graph.add("Unsqueeze", share, np.array([2])))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        dx = dx.reshape(-1, *self._image)
        if self.interpolation == "nearest":
            np.sum(self._copies(dy), axis=(2, 4), out=dx)
            return
        if self.mask is not None:
            np.multiply(dy, self.share[..., None], out=dy)
        n, high, wide, c = self.middle.shape
        np.matmul(self._A.T.astype(dy.dtype), dy.reshape(n, -1, wide * c), out=self.middle.reshape(n, high, -1))
        np.matmul(self._B.T.astype(dy.dtype), self.middle, out=dx)
        if self.mask is not None:
            np.multiply(dx, self.mask[:, None, :, None], out=dx)

    def _copies(self, y: Array) -> Array:
        """y (n, H·s, W·s, C) as (n, H, s, W, s, C)."""
        high, wide, channels = self._image
        return y.reshape(-1, high, self._down, wide, self._across, channels)


def _weights(size: int, factor: int) -> Array:
    """(size·factor, size): how much each of the old places gives to each of the new ones."""
    centres = np.clip((np.arange(size * factor) + 0.5) / factor - 0.5, 0, size - 1)
    return np.asarray(np.maximum(0, 1 - np.abs(centres[:, None] - np.arange(size))))
