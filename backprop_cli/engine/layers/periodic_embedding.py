from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer, PositiveInt, layer
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("periodic_embedding", "pbld")
class PeriodicEmbedding(Layer):
    """A few numbers for each number of a table: its value, and a learnt map of its cosines at learnt frequencies.

    p[n, f] = cos(2π (x[n, f] F[f] + b[f]))          x (N, K)   F, b, p (K, H)
    y[n, f] = [x[n, f], p[n, f] V[f] + c[f]]         V (K, H, D − 1)   y (N, K D), a number's D beside one another
    F begins normal with deviation `frequency`, b uniform in −π … π. PBLD of RealMLP: Holzmüller, Grinsztajn &
    Steinwart 2024, arXiv:2407.04491, after Gorishniy, Rubachev & Babenko 2022, arXiv:2203.05556
    """

    listed_under = "Dense and embedding"

    dimension: Annotated[int, Gt(1), Doc("numbers that each number becomes, itself among them")] = 4
    waves: Annotated[PositiveInt, Doc("cosines of each number")] = 16
    frequency: Annotated[float, Gt(0), Doc("standard deviation of the first frequencies")] = 0.1

    acts_as = "linear"

    F: Array = slot()
    dF: Array = slot()
    b: Array = slot()
    db: Array = slot()
    V: Array = slot()
    dV: Array = slot()
    c: Array = slot()
    dc: Array = slot()
    angle: Array = slot()  # (K, n, H)
    wave: Array = slot()
    mapped: Array = slot()  # (K, n, D − 1)

    examples = [
        {"options": {}, "inputs": [(3,)]},
        {"options": {"dimension": 2, "waves": 3, "frequency": 0.5}, "inputs": [(2,)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        if len(shapes[0]) != 1:
            raise BuildError(f"periodic_embedding takes rows of numbers (N, K), got {shapes[0]} in a row")
        (k,), h, d = shapes[0], self.waves, self.dimension - 1
        self.parameter("F", (k, h), {"type": "normal", "std": self.frequency}, decay=False)
        self.parameter("b", (k, h), {"type": "uniform", "low": -np.pi, "high": np.pi}, decay=False)
        self.parameter("V", (k, h, d), {"type": "uniform", "low": -(h**-0.5), "high": h**-0.5})
        self.parameter("c", (k, d), "zeros", decay=False)
        self.workspace("angle", (k, h), axis=1)
        self.workspace("wave", (k, h), axis=1)
        self.workspace("mapped", (k, d), axis=1, temporary=True)
        return (k * self.dimension,)

    @property
    def needs_output(self) -> bool:
        return False

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.multiply(x.T[:, :, None], self.F[:, None], out=self.angle)
        np.add(self.angle, self.b[:, None], out=self.angle)
        np.multiply(self.angle, 2 * np.pi, out=self.angle)
        np.cos(self.angle, out=self.wave)
        np.matmul(self.wave, self.V, out=self.mapped)
        np.add(self.mapped, self.c[:, None], out=self.mapped)
        cells = y.reshape(len(x), -1, self.dimension)
        cells[:, :, 0] = x
        cells[:, :, 1:] = self.mapped.transpose(1, 0, 2)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        k = len(self.F)
        column = graph.add("Reshape", graph.add("Transpose", x, perm=[1, 0]), np.array([k, -1, 1]))
        angle = graph.add("Add", graph.add("Mul", column, 2 * np.pi * self.F[:, None]), 2 * np.pi * self.b[:, None])
        mapped = graph.add("Add", graph.add("MatMul", graph.add("Cos", angle), self.V), self.c[:, None])
        cells = graph.add("Transpose", graph.add("Concat", column, mapped, axis=2), perm=[1, 0, 2])
        return graph.add("Reshape", cells, np.array([0, k * self.dimension]))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        cells = dy.reshape(len(x), -1, self.dimension)
        np.copyto(self.mapped, cells[:, :, 1:].transpose(1, 0, 2))
        np.sum(self.mapped, axis=1, out=self.dc)
        np.matmul(self.wave.transpose(0, 2, 1), self.mapped, out=self.dV)
        np.sin(self.angle, out=self.angle)
        np.matmul(self.mapped, self.V.transpose(0, 2, 1), out=self.wave)
        np.multiply(self.wave, self.angle, out=self.wave)
        np.multiply(self.wave, -2 * np.pi, out=self.wave)  # dL / d(x F + b)
        np.sum(self.wave, axis=1, out=self.db)
        np.matmul(x.T[:, None, :], self.wave, out=self.dF[:, None])
        if dx is not None:
            np.matmul(self.wave, self.F[:, :, None], out=self.angle[:, :, :1])
            np.add(self.angle[:, :, 0].T, cells[:, :, 0], out=dx)

    def flops(self, *shapes: Shape) -> int:
        return 2 * shapes[0][0] * self.waves * (self.dimension + 1)
