from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, NonNegative, layer
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("gaussian_noise")
class GaussianNoise(Layer):
    """Normal noise added while training.

    y = x + stddev · ε,  ε ~ N(0, 1)          y = x in inference
    dx = dy
    Bishop 1995, doi:10.1162/neco.1995.7.1.108
    """

    listed_under = "Noise and dropout"

    stddev: Annotated[NonNegative, Doc("standard deviation of the noise added while training, in the units of x")]

    in_place = True
    stochastic = True
    keeps_linear = True

    noise: Array = slot()

    examples = [{"options": {"stddev": 0.5}, "inputs": [(4,)]}, {"options": {"stddev": 0.0}, "inputs": [(2, 3)]}]

    def build(self, *shapes: Shape) -> Shape:
        self.workspace("noise", shapes[0], temporary=True)
        return shapes[0]

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if training and self.stddev:
            self.rng.standard_normal(out=self.noise, dtype=self.noise.dtype)
            np.multiply(self.noise, self.stddev, out=self.noise)
            np.add(x, self.noise, out=y)
        elif y is not x:
            np.copyto(y, x)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return x

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None and dx is not dy:
            np.copyto(dx, dy)
