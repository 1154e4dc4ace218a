"""What normalising layers have in common: a scale γ and a shift β per channel, each optional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.layer import Array, Initializer, Layer, Shape
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class Normalization(Layer):
    """y = γ x̂ + β; subclasses say what x̂ is."""

    epsilon: Annotated[float, Gt(0), Doc("added to the variance, against division by 0")] = 1e-5
    scale: Annotated[bool, Doc("multiply by a trained γ")] = True
    center: Annotated[bool, Doc("add a trained β")] = True
    gamma_initializer: Annotated[Initializer, Doc("first values of γ")] = "ones"
    beta_initializer: Annotated[Initializer, Doc("first values of β")] = "zeros"

    acts_as: ClassVar[str | None] = "linear"

    gamma: Array = slot()
    beta: Array = slot()
    dgamma: Array = slot()
    dbeta: Array = slot()
    constants: Array = slot()
    tile: Array = slot()
    scratch: Array = slot()

    def ask_affine(self, shape: Shape) -> None:
        """Declare γ, β and scratch memory for inputs of this shape."""
        channels, places = shape[-1], int(np.prod(shape[:-1]))
        if self.scale:
            self.parameter("gamma", (channels,), self.gamma_initializer, decay=False)
        if self.center:
            self.parameter("beta", (channels,), self.beta_initializer, decay=False)
        self.workspace("constants", (4, channels), per_sample=False, temporary=True)
        self.workspace("tile", (places, channels), per_sample=False, temporary=True)
        self.workspace("scratch", (places, channels), temporary=True)

    def affine(self) -> tuple[Array, Array]:
        """γ and β, ones and zeros where there is none."""
        ones, zeros, _, _ = self.constants
        ones[...], zeros[...] = 1, 0
        return self.gamma if self.scale else ones, self.beta if self.center else zeros

    def affine_gradients(self) -> tuple[Array, Array]:
        """Where dγ and dβ are to be written; to scratch memory where there is none."""
        _, _, dgamma, dbeta = self.constants
        return self.dgamma if self.scale else dgamma, self.dbeta if self.center else dbeta

    @property
    def needs_output(self) -> bool:
        return False

    def flops(self, *shapes: Shape) -> int:
        return 7 * int(np.prod(shapes[0]))


@dataclass(kw_only=True)
class GroupedNormalization(Normalization):
    """x̂ = (x − μ) / √(σ² + ε), with μ and σ² over the places and channels of a group, in each example by itself."""

    mean: Array = slot()
    inverse: Array = slot()
    moment: Array = slot()

    def group(self, shape: Shape, places: int, groups: int) -> Shape:
        """Normalise over this many places and this many groups of channels at a time."""
        self.ask_affine(shape)
        self._view = (-1, places, groups, shape[-1] // groups)
        statistics = (int(np.prod(shape[:-1])) // places, 1, groups, 1)
        self.workspace("mean", statistics)
        self.workspace("inverse", statistics)
        self.workspace("moment", statistics, temporary=True)
        return shape

    def forward(self, x: Array, y: Array, training: bool) -> None:
        gamma, beta = (each.reshape(self._view[2:]) for each in self.affine())
        x, y, scratch = (each.reshape(self._view) for each in (x, y, self.scratch))
        mean, inverse = (self._statistics(each) for each in (self.mean, self.inverse))
        self.kernels.group_norm(x, y, gamma, beta, mean, inverse, self.epsilon, scratch)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        _, places, groups, width = self._view
        rows = places == groups == 1
        v = x if rows else graph.add("Reshape", x, np.array(self._view))
        among: dict[str, Any] = {"axes": [-1] if rows else [1, 3], "keepdims": 1}
        centred = graph.add("Sub", v, graph.add("ReduceMean", v, **among))
        variance = graph.add("ReduceMean", graph.add("Mul", centred, centred), **among)
        y = graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, self.epsilon)))
        if self.scale:
            y = graph.add("Mul", y, self.gamma if rows else self.gamma.reshape(groups, width))
        if self.center:
            y = graph.add("Add", y, self.beta if rows else self.beta.reshape(groups, width))
        return y if rows else graph.add("Reshape", y, graph.add("Shape", x))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        gamma, dgamma, dbeta = (each.reshape(self._view[2:]) for each in (self.affine()[0], *self.affine_gradients()))
        x, dy, scratch = (each.reshape(self._view) for each in (x, dy, self.scratch))
        mean, inverse, moment = (self._statistics(each) for each in (self.mean, self.inverse, self.moment))
        dx = None if dx is None else dx.reshape(self._view)
        self.kernels.group_norm_gradient(x, dy, dx, gamma, mean, inverse, dgamma, dbeta, self.tile, scratch, moment)

    @staticmethod
    def _statistics(x: Array) -> Array:
        return x.reshape(-1, *x.shape[-3:])
