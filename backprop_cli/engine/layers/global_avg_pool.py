from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer(
    "global_avg_pool",
    "global_average_pooling",
    "global_avg_pool1d",
    "global_avg_pool2d",
    "global_average_pooling1d",
    "global_average_pooling2d",
)
class GlobalAvgPool(Layer):
    """The mean of each channel over all places: steps of a sequence, pixels of an image.

    y = Σ x / m          x (N, T, F) or (N, H, W, C)   y (N, F) or (N, C)   m = T or H·W
    dx = dy / m
    Steps that the mask leaves out do not count: m is then the number of those that do.
    Lin, Chen & Yan 2013, arXiv:1312.4400
    """

    listed_under = "Pooling"

    keeps_linear = True
    heeds_mask = True

    examples = [
        {"options": {}, "inputs": [(3, 4, 2)]},
        {"options": {}, "inputs": [(5, 2)]},
        {"options": {}, "inputs": [(1, 1)]},
        {"options": {}, "inputs": [(3, 2)], "padded": True},
    ]

    share: Array = slot()  # (N, T): 1/m at steps that count, else 0
    counts: Array = slot()

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) < 2:
            raise BuildError(f"global_avg_pool takes sequences (T, F) or images (H, W, C), got {shape}; leave it out")
        if len(shape) == 2:
            self.workspace("share", shape[:1])
            self.workspace("counts", (1,), temporary=True)
        return shape[-1:]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if self.mask is not None:
            np.sum(self.mask, axis=1, keepdims=True, out=self.counts)
            np.maximum(self.counts, 1, out=self.counts)
            np.divide(self.mask, self.counts, out=self.share)
            np.matmul(self.share[:, None], x, out=y[:, None])
            return
        np.mean(x.reshape(len(x), -1, x.shape[-1]), axis=1, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        mask = graph.masks[0]
        if mask is None:
            return graph.add("ReduceMean", x, axes=list(range(1, len(graph.shapes[0]))), keepdims=0)
        counted = graph.cast(mask, "float32")
        counts = graph.add("Max", graph.add("ReduceSum", counted, np.array([1]), keepdims=1), 1.0)
        share = graph.add("Unsqueeze", graph.add("Div", counted, counts), np.array([1]))
        return graph.add("Squeeze", graph.add("MatMul", share, x), np.array([1]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None and self.mask is not None:
            np.multiply(dy[:, None], self.share[..., None], out=dx)
        elif dx is not None:
            places = dx.reshape(len(dx), -1, dx.shape[-1])
            np.multiply(dy[:, None], 1 / places.shape[1], out=places)

    def flops(self, *shapes: Shape) -> int:
        return int(np.prod(shapes[0]))
