from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.masks import hidden, hide, zeroed
from backprop_cli.engine.pooling import Pooling
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("max_pool2d", "max_pooling2d", "maxpool2d", "max_pool", "maxpool", "max_pooling")
class MaxPool2d(Pooling):
    """The largest number of each window, channel by channel.

    y[n, p, q] = max over the window x[n, p·s − pad : … + kh, q·s − pad : … + kw]          x (N, H, W, C)
    dx = dy at the first cell of the window, in reading order, that equals y (as in PyTorch), summed where
    windows overlap. Padding never wins. Sizes and padding as in conv2d; strides are pool_size unless given.
    Riesenhuber & Poggio 1999, doi:10.1038/14819
    """

    part: Array = slot()

    examples = [
        {"options": {}, "inputs": [(4, 5, 2)]},
        {"options": {"pool_size": 3, "strides": 2, "padding": "same"}, "inputs": [(5, 4, 1)]},
        {"options": {"pool_size": [2, 1], "strides": 3}, "inputs": [(5, 4, 2)]},
        {"options": {"pool_size": 3, "strides": 1, "padding": [[1, 0], [2, 1]]}, "inputs": [(2, 3, 1)]},
        {"options": {"pool_size": 1}, "inputs": [(1, 1, 3)]},
        {"options": {"pool_size": 2, "strides": 1, "padding": 1}, "inputs": [(1, 2, 1)]},
    ]

    def memory(self, middle: Shape) -> None:
        self.workspace("middle", middle)
        self.workspace("dmiddle", middle, temporary=True)
        height, width, channels = middle
        self.workspace("part", (max(height, self._rows.out) * width * channels,), temporary=True)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        rows, columns = self._rows, self._columns
        x = self._seen(x)
        self.kernels.max_pool(self.images(x, rows.size), self.middle, self.images(y, rows.out), rows, columns)

        if self.mask is not None:
            np.multiply(y, self.made_mask[..., None], out=y)

    def _seen(self, x: Array) -> Array:
        """x with steps that win nowhere instead of those that do not count."""
        return x if self.mask is None else hide(x, self.mask, float(np.finfo(x.dtype).min), self.clean)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        y = self.onnx_pool(graph, "MaxPool", hidden(graph, x, float(np.finfo(np.float32).min)))
        return zeroed(graph, y, graph.made_mask)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        mask, given = self.mask, dx
        if mask is not None:
            x = self._seen(x)
            np.multiply(dy, self.made_mask[..., None], out=dy)
        rows, columns = self._rows, self._columns
        x, dx = self.images(x, rows.size), self.images(dx, rows.size)
        y, dy = self.images(y, rows.out), self.images(dy, rows.out)
        self.kernels.max_pool_gradient(x, self.middle, y, dy, dx, self.dmiddle, self.part.reshape(-1), rows, columns)
        if mask is not None:
            np.multiply(given, mask[..., None], out=given)
