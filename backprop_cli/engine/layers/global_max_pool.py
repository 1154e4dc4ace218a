from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer(
    "global_max_pool",
    "global_max_pooling",
    "global_max_pool1d",
    "global_max_pool2d",
    "global_max_pooling1d",
    "global_max_pooling2d",
)
class GlobalMaxPool(Layer):
    """The largest number of each channel over all places: steps of a sequence, pixels of an image.

    y = max x          x (N, T, F) or (N, H, W, C)   y (N, F) or (N, C)
    dx = dy where x = y, in equal shares where several are, as in TensorFlow's reduce_max and PyTorch's amax
    Steps that the mask leaves out are not looked at; y = 0 where none counts.
    """

    listed_under = "Pooling"

    ties: Array = slot()

    keeps_linear = True
    heeds_mask = True

    examples = [
        {"options": {}, "inputs": [(3, 4, 2)]},
        {"options": {}, "inputs": [(5, 2)]},
        {"options": {}, "inputs": [(1, 1)]},
        {"options": {}, "inputs": [(3, 2)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        if len(shape) < 2:
            raise BuildError(f"global_max_pool takes sequences (T, F) or images (H, W, C), got {shape}; leave it out")
        self.workspace("ties", shape[-1:], temporary=True)
        return shape[-1:]

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if self.mask is not None:
            np.max(x, axis=1, where=self.mask[..., None], initial=np.finfo(x.dtype).min, out=y)
            np.multiply(y, self.mask.any(axis=1, keepdims=True), out=y)
            return
        np.max(x.reshape(len(x), -1, x.shape[-1]), axis=1, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        axes, mask = list(range(1, len(graph.shapes[0]))), graph.masks[0]
        if mask is None:
            return graph.add("ReduceMax", x, axes=axes, keepdims=0)
        seen = graph.add("Where", graph.add("Unsqueeze", mask, np.array([2])), x, float(np.finfo(np.float32).min))
        some = graph.add("ReduceMax", graph.cast(mask, "float32"), axes=[1], keepdims=1)
        return graph.add("Mul", graph.add("ReduceMax", seen, axes=[1], keepdims=0), some)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        x, dx = (array.reshape(len(x), -1, x.shape[-1]) for array in (x, dx))
        np.equal(x, y[:, None], out=dx)
        if self.mask is not None:
            np.multiply(dx, self.mask[..., None], out=dx)
        np.sum(dx, axis=1, out=self.ties)
        np.maximum(self.ties, 1, out=self.ties)
        np.divide(dy, self.ties, out=dy)
        np.multiply(dx, dy[:, None], out=dx)

    def flops(self, *shapes: Shape) -> int:
        return int(np.prod(shapes[0]))
