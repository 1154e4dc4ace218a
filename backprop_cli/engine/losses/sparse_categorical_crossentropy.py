from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.layer import Shape
from backprop_cli.engine.losses.base import Array, Loss, loss, mean, weigh
from backprop_cli.errors import BuildError


@loss("sparse_categorical_crossentropy", "cross_entropy")
class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy of one distribution over K classes, targets as class ids.

    L = −1/N Σ_n log y[n, t_n]          dy[n, t_n] = −1 / (y[n, t_n] N)          y (N, K)   t (N,)
    or y (N, T, K) with t (N, T), the mean then over steps too.
    After a final softmax the two are fused: L = mean(logsumexp z − z_t), dz = (y − onehot t)/N.
    """

    fuses = ("softmax",)
    targets = "classes"

    examples = [
        {"output": (4,), "target": "classes", "activation": "softmax"},
        {"output": (3, 5), "target": "classes", "activation": "softmax"},
    ]

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        super().check(output, target, target_dtype, classes)
        if target != output[:-1]:
            raise BuildError(
                f"{self.type_name} takes one class id per row of the output {output}, got targets of shape {target}"
            )
        if classes is not None and classes > output[-1]:
            raise BuildError(
                f"the network ends with {output[-1]} units, but the data have {classes} classes; "
                f"end with {{type: dense, units: {classes}, activation: softmax}}"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        rows, ids = z.reshape(-1, z.shape[-1]), target.reshape(-1)
        index = np.arange(len(ids))
        if z is y:
            losses = -np.log(np.maximum(rows[index, ids], np.finfo(y.dtype).tiny))
        else:  # log y_t = z_t − logsumexp z, and logsumexp z = z_k − log y_k for the largest k
            top = rows.max(axis=-1)
            losses = top - np.log(y.reshape(rows.shape).max(axis=-1)) - rows[index, ids]
        return mean(losses.reshape(target.shape), weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        rows, ids = dz.reshape(-1, dz.shape[-1]), target.reshape(-1)
        index = np.arange(len(ids))
        if z is not y:
            np.copyto(dz, y)
            rows[index, ids] -= 1
        else:
            chosen = y.reshape(rows.shape)[index, ids]
            dz[...] = 0
            rows[index, ids] = -1 / np.maximum(chosen, np.finfo(y.dtype).tiny)
        weigh(dz, weight, len(ids))
