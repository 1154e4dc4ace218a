from __future__ import annotations

from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.max_pool2d import MaxPool2d


@layer("max_pool1d", "max_pooling1d", "maxpool1d")
class MaxPool1d(MaxPool2d):
    """The largest number of each window of steps, feature by feature.

    y[n, t] = max x[n, t·s − pad : t·s − pad + k]          x (N, T, F)   y (N, T', F)
    dx = dy at the first step of the window that equals y, summed where windows overlap
    Padding never wins, nor do steps that a mask leaves out; y is 0 where it does not count.
    Sizes and padding as in conv1d; strides are pool_size unless given.
    """

    rank = 1

    examples = [
        {"options": {}, "inputs": [(5, 2)]},
        {"options": {"pool_size": 3, "strides": 1, "padding": 1}, "inputs": [(4, 1)]},
        {"options": {"pool_size": 3, "strides": 2, "padding": "same"}, "inputs": [(1, 3)]},
        {"options": {}, "inputs": [(5, 2)], "padded": True},
        {"options": {"pool_size": 3, "strides": 1, "padding": "same"}, "inputs": [(4, 2)], "padded": True},
    ]
