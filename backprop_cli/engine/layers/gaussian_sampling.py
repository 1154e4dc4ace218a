from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, NonNegative, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot

LIMIT = 30.0  # of |ln σ²|: σ² from 1e-13 to 1e13


@layer("gaussian_sampling", "sampling")
class GaussianSampling(Layer):
    """A draw from the Gaussian whose mean and log variance x holds, and its distance from the standard one as a loss.

    y = μ + σ ε,  x = [μ, ln σ²],  ε ~ N(0, 1) while training, 0 in inference          x (..., 2K)   y (..., K)
    adds to the loss  weight / N · Σ ½ (μ² + σ² − 1 − ln σ²), the Kullback-Leibler divergence from N(0, 1)
    dμ = dy + weight μ / N          d ln σ² = ½ (dy σ ε + weight (σ² − 1) / N)
    ln σ² outside ±30 counts as ±30.
    A loss that is a mean over D outputs, as mse is, asks for a weight of 1 / D: then both are sums over an example.
    Kingma & Welling 2014, arXiv:1312.6114; with a weight of its own: Higgins et al. 2017
    """

    listed_under = "Noise and dropout"

    weight: Annotated[NonNegative, Doc("of the divergence in the loss; 1 / outputs beside a mean over the outputs")] = (
        1.0
    )

    stochastic = True
    adds_loss = True

    noise: Array = slot()
    sigma: Array = slot()
    part: Array = slot()
    beyond: Array = slot()  # where ln σ² is held, and so has no slope
    divergence: float = slot()

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"weight": 0.1}, "inputs": [(2, 6)]},
        {"options": {"weight": 0}, "inputs": [(2,)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (*rest, both) = shapes[0]
        if both % 2:
            raise BuildError(f"gaussian_sampling takes means and as many log variances, got {both} numbers")
        self._half = both // 2
        y = (*rest, self._half)
        for name in ("noise", "sigma"):
            self.workspace(name, y)
        self.workspace("part", y, temporary=True)
        self.workspace("beyond", y, np.bool_)
        return y

    @property
    def needs_output(self) -> bool:
        return False

    @property
    def own_loss(self) -> float:
        return self.divergence

    def forward(self, x: Array, y: Array, training: bool) -> None:
        mean, log_variance = self._halves(x)
        np.clip(log_variance, -LIMIT, LIMIT, out=self.part)
        np.not_equal(self.part, log_variance, out=self.beyond)
        squares = -float(np.add.reduce(self.part, axis=None)) - self.part.size
        np.multiply(self.part, 0.5, out=self.sigma)
        np.exp(self.sigma, out=self.sigma)
        if training:
            self.rng.standard_normal(out=self.noise, dtype=self.noise.dtype)
        else:
            self.noise[...] = 0
        np.multiply(self.sigma, self.noise, out=y)
        np.add(y, mean, out=y)
        np.multiply(mean, mean, out=self.part)
        squares += float(np.add.reduce(self.part, axis=None))
        np.multiply(self.sigma, self.sigma, out=self.part)
        squares += float(np.add.reduce(self.part, axis=None))
        self.divergence = 0.5 * self.weight * squares / len(x)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is None:
            return
        mean, _ = self._halves(x)
        of_mean, of_variance = self._halves(dx)
        scale = self.weight / len(x)
        np.multiply(self.sigma, self.noise, out=of_variance)
        np.multiply(of_variance, dy, out=of_variance)
        np.multiply(self.sigma, self.sigma, out=self.part)
        np.subtract(self.part, 1, out=self.part)
        np.multiply(self.part, scale, out=self.part)
        np.add(of_variance, self.part, out=of_variance)
        np.multiply(of_variance, 0.5, out=of_variance)
        np.copyto(of_variance, 0, where=self.beyond)
        np.multiply(mean, scale, out=of_mean)
        np.add(of_mean, dy, out=of_mean)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Slice", x, np.array([0]), np.array([self._half]), np.array([-1]))

    def flops(self, *shapes: Shape) -> int:
        return 8 * int(np.prod(shapes[0]))

    def _halves(self, x: Array) -> tuple[Array, Array]:
        return x[..., : self._half], x[..., self._half :]
