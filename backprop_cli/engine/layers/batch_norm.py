from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.layer import Array, Shape, layer
from backprop_cli.engine.normalization import Normalization
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("batch_norm", "batch_normalization", "batchnorm", "batch_norm1d", "batch_norm2d")
class BatchNorm(Normalization):
    """Each channel shifted and scaled to the mean 0 and variance 1 of its batch, then by what is learnt.

    y = γ x̂ + β,  x̂ = (x − μ) / √(σ² + ε)          x, y (N, ..., C)   γ, β (C,)   m = numbers per channel
    Training: μ = Σ x / m, σ² = Σ (x − μ)² / m of the batch. Inference, and where the layer is frozen: the running ones.
    dγ = Σ dy x̂    dβ = Σ dy    dx = γ / √(σ² + ε) (dy − dβ/m − x̂ dγ/m); with running statistics γ dy / √(σ² + ε)
    running ← momentum · running + (1 − momentum) · batch, the variance by m − 1. So momentum is the share kept, as
    in Keras (whose default is 0.99); PyTorch's momentum is 1 − ours, and its default 0.1 is our 0.9. ε is PyTorch's
    1e-5, added under the root; Keras's default is 1e-3.
    Ioffe & Szegedy 2015, arXiv:1502.03167
    """

    momentum: Annotated[
        float,
        Interval(ge=0, le=1),
        Doc("share of the running mean and variance kept at each step; PyTorch's momentum is 1 − this"),
    ] = 0.9

    running_mean: Array = slot()
    running_variance: Array = slot()
    factors: Array = slot()
    batch: bool = slot()

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"scale": False, "epsilon": 1e-3}, "inputs": [(2, 3, 2)]},
        {"options": {"center": False, "momentum": 0.5}, "inputs": [(5, 1)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        self.ask_affine(shape)
        self.state("running_mean", shape[-1:])
        self.state("running_variance", shape[-1:], 1.0)
        self.workspace("factors", (3, shape[-1]), per_sample=False)
        return shape

    def forward(self, x: Array, y: Array, training: bool) -> None:
        mean, inverse, scale = self.factors
        gamma, beta = self.affine()
        x, y = self._columns(x), self._columns(y)
        self.batch = training and self.frozen is not True
        if self.batch:
            variance = inverse
            self.kernels.batch_statistics(x, mean, variance, self.tile, self.scratch)
            m = x.size // x.shape[-1]
            self._follow(self.running_mean, mean)
            self._follow(self.running_variance, variance * (m / max(m - 1, 1)))
        else:
            np.copyto(mean, self.running_mean)
            np.copyto(inverse, self.running_variance)
        np.add(inverse, self.epsilon, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.reciprocal(inverse, out=inverse)
        np.multiply(inverse, gamma, out=scale)
        self.kernels.batch_norm(x, y, mean, scale, beta, self.tile)

    def _follow(self, running: Array, batch: Array) -> None:
        running *= self.momentum
        running += (1 - self.momentum) * batch

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        scale = 1 / np.sqrt(self.running_variance + self.epsilon)
        y = graph.add("Mul", graph.add("Sub", x, self.running_mean), scale * self.gamma if self.scale else scale)
        return graph.add("Add", y, self.beta) if self.center else y

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        mean, inverse, scale = self.factors
        dgamma, dbeta = self.affine_gradients()
        x, dy, dx = self._columns(x), self._columns(dy), None if dx is None else self._columns(dx)
        self.kernels.batch_norm_gradient(
            x, dy, dx, mean, inverse, scale, dgamma, dbeta, self.tile, self.scratch, self.batch
        )

    @staticmethod
    def _columns(x: Array) -> Array:
        return x.reshape(len(x), -1, x.shape[-1])
