from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import slot


@layer("unscale", "inverse_standardize")
class Unscale(Layer):
    """Outputs in the unit of the targets: the last layer of a network that predicts values.

    y = σ x + μ          x, y (..., K)   μ, σ (K,): mean and standard deviation of each target of the training split
    dx = σ dy
    The layers before it work on standardized targets: training compares x with (t − μ)/σ, so that learning rate,
    clipping and penalties mean the same in every unit, and no target outweighs another (huber's δ is then one in
    deviations). Losses, metrics and predictions are told in the unit of the targets. μ and σ are kept with the model;
    the σ of a constant target counts as 1.
    """

    listed_under = "Normalization"

    in_place = True
    keeps_linear = True
    in_unit = True

    mean: Array = slot()
    std: Array = slot()

    examples = [{"options": {}, "inputs": [(3,)]}, {"options": {}, "inputs": [(2, 3)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.state("mean", shapes[0][-1:])
        self.state("std", shapes[0][-1:], 1.0)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def learn(self, targets: Array) -> None:
        """Take μ and σ from the targets (N, …) of the training split."""
        rows = np.asarray(targets, np.float64).reshape(-1, len(self.mean))
        self.mean[...], std = rows.mean(axis=0), rows.std(axis=0)
        self.std[...] = np.where(std > 1e-14 * np.abs(rows).max(axis=0), std, 1.0)

    def scaled(self, values: Array, out: Array) -> Array:
        """Write (values − μ) / σ."""
        np.subtract(values, self.mean, out=out)
        return np.divide(out, self.std, out=out)

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.multiply(x, self.std, out=y)
        np.add(y, self.mean, out=y)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Add", graph.add("Mul", x, self.std), self.mean)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.multiply(dy, self.std, out=dx)

    def flops(self, *shapes: Shape) -> int:
        return 2 * int(np.prod(shapes[0]))
