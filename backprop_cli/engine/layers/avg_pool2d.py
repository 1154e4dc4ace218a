from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.masks import hidden, hide, zeroed
from backprop_cli.engine.pooling import Pooling
from backprop_cli.engine.window import Axis
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("avg_pool2d", "average_pooling2d", "avgpool2d", "avg_pool", "avgpool", "average_pooling")
class AvgPool2d(Pooling):
    """The mean of each window, channel by channel.

    y[n, p, q] = Σ x[n, p·s − pad : … + kh, q·s − pad : … + kw] / m          x (N, H, W, C)
    dx = dy / m, summed over the windows a cell is in
    With `padding: same` m counts the cells that are not padding, as in TensorFlow and Keras; with explicit padding
    m = kh·kw, as in PyTorch. Sizes and padding as in conv2d; strides are pool_size unless given.
    LeCun et al. 1998, doi:10.1109/5.726791
    """

    scale: Array = slot()
    shares: Array = slot()

    examples = [
        {"options": {}, "inputs": [(4, 5, 2)]},
        {"options": {"pool_size": 3, "strides": 2, "padding": "same"}, "inputs": [(5, 4, 1)]},
        {"options": {"pool_size": [2, 1], "strides": 3}, "inputs": [(5, 4, 2)]},
        {"options": {"pool_size": 2, "strides": 1, "padding": [[1, 0], [1, 1]]}, "inputs": [(2, 1, 2)]},
    ]

    def memory(self, middle: Shape) -> None:
        high, wide = (_shares(axis, self.padding == "same") for axis in (self._rows, self._columns))
        self.scale = (high[:, None] * wide)[..., None]
        self.workspace("middle", middle, temporary=True)
        if self.has_mask:
            self.workspace("shares", (self._columns.out, 1))

    def forward(self, x: Array, y: Array, training: bool) -> None:
        rows, columns = self._rows, self._columns
        scale = self.scale.astype(x.dtype)
        if self.mask is not None:
            self._count(self.mask)
            x, scale = hide(x, self.mask, 0, self.clean), np.ones_like(scale)
        self.kernels.avg_pool(self.images(x, rows.size), self.middle, self.images(y, rows.out), scale, rows, columns)

        if self.mask is not None:
            np.multiply(y, self.shares, out=y)

    def _count(self, mask: Array) -> None:
        """One over m at the steps of y that count, else 0; with `padding: same`, m leaves out what x's mask does."""
        shares, columns = self.shares[..., 0], self._columns
        shares[...] = 0 if self.padding == "same" else columns.kernel
        for i in range(columns.kernel if self.padding == "same" else 0):
            out, cells = columns.span(i)
            np.add(shares[:, out], mask[:, cells], out=shares[:, out])
        np.divide(self.made_mask, np.maximum(shares, 1, out=shares), out=shares)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        if graph.masks[0] is not None:
            return self._onnx_masked(graph, x, graph.masks[0])
        return self.onnx_pool(graph, "AveragePool", x, count_include_pad=int(self.padding != "same"))

    def _onnx_masked(self, graph: OnnxGraph, x: str, mask: str) -> str:
        y = self.onnx_pool(graph, "AveragePool", hidden(graph, x, 0.0), count_include_pad=1)
        if self.padding == "same":
            counted = graph.add("Unsqueeze", graph.cast(mask, "float32"), np.array([2]))
            share = self.onnx_pool(graph, "AveragePool", counted, count_include_pad=1)
            y = graph.add("Div", y, graph.add("Max", share, 1e-6))
        return zeroed(graph, y, graph.made_mask)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        rows, columns, scale, given = self._rows, self._columns, self.scale.astype(x.dtype), dx
        if self.mask is not None:
            np.multiply(dy, self.shares, out=dy)
            scale = np.ones_like(scale)
        dx, dy = self.images(dx, rows.size), self.images(dy, rows.out)
        self.kernels.avg_pool_gradient(dy, dx, self.middle, scale, rows, columns)
        if self.mask is not None:
            np.multiply(given, self.mask[..., None], out=given)

    @property
    def needs_output(self) -> bool:
        return False


def _shares(axis: Axis, real_only: bool) -> Array:
    """One over the number of cells at each position of a window."""
    cells = np.zeros(axis.out)
    for i in range(axis.kernel):
        cells[axis.span(i)[0] if real_only else slice(None)] += 1
    return 1 / cells
