from __future__ import annotations

import numpy as np

from backprop_cli.engine.layer import Array, Shape, layer
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

    def forward(self, x: Array, y: Array, training: bool) -> None:
        rows, columns = self._rows, self._columns
        scale = self.scale.astype(x.dtype)
        self.kernels.avg_pool(self.images(x, rows.size), self.middle, self.images(y, rows.out), scale, rows, columns)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return self.onnx_pool(graph, "AveragePool", x, count_include_pad=int(self.padding != "same"))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        rows, columns = self._rows, self._columns
        dx, dy, scale = self.images(dx, rows.size), self.images(dy, rows.out), self.scale.astype(x.dtype)
        self.kernels.avg_pool_gradient(dy, dx, self.middle, scale, rows, columns)

    @property
    def needs_output(self) -> bool:
        return False


def _shares(axis: Axis, real_only: bool) -> Array:
    """One over the number of cells at each position of a window."""
    cells = np.zeros(axis.out)
    for i in range(axis.kernel):
        cells[axis.span(i)[0] if real_only else slice(None)] += 1
    return 1 / cells
