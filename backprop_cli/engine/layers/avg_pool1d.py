from __future__ import annotations

from backprop_cli.engine.layer import layer
from backprop_cli.engine.layers.avg_pool2d import AvgPool2d


@layer("avg_pool1d", "average_pooling1d", "avgpool1d")
class AvgPool1d(AvgPool2d):
    """The mean of each window of steps, feature by feature.

    y[n, t] = Σ x[n, t·s − pad : t·s − pad + k] / m          x (N, T, F)   y (N, T', F)
    dx = dy / m, summed over the windows a step is in
    m, sizes and padding as in avg_pool2d. Steps that a mask leaves out are padding; y is 0 where it does not count.
    """

    rank = 1

    examples = [
        {"options": {}, "inputs": [(5, 2)]},
        {"options": {"pool_size": 3, "strides": 1, "padding": "same"}, "inputs": [(4, 1)]},
        {"options": {"pool_size": 1, "strides": 2}, "inputs": [(3, 2)]},
        {"options": {}, "inputs": [(5, 2)], "padded": True},
        {"options": {"pool_size": 3, "strides": 1, "padding": "same"}, "inputs": [(4, 2)], "padded": True},
        {"options": {"pool_size": 3, "strides": 1, "padding": 1}, "inputs": [(4, 2)], "padded": True},
    ]
