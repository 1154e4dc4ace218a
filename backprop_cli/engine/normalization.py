"""What normalising layers have in common: a scale γ and a shift β per channel, each optional."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Initializer, Layer
from backprop_cli.engine.masks import zeroed
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class Normalization(Layer):
    """y = γ x̂ + β; subclasses say what x̂ is."""

    listed_under = "Normalization"

    epsilon: Annotated[float, Gt(0), Doc("added to the variance, against division by 0")] = 1e-5
    scale: Annotated[bool, Doc("multiply by a trained γ")] = True
    center: Annotated[bool, Doc("add a trained β")] = True
    gamma_initializer: Annotated[Initializer, Doc("first values of γ")] = "ones"
    beta_initializer: Annotated[Initializer, Doc("first values of β")] = "zeros"

    normalizes: ClassVar[bool] = True
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
    share: Array = slot()  # of each step in the statistics of its example: 1/m, or 0 where it does not count

    def group(self, shape: Shape, places: int, groups: int) -> Shape:
        """Normalise over this many places and this many groups of channels at a time."""
        if places * shape[-1] // groups == 1:
            raise BuildError(
                f"{self.type_name} would normalise each number of {shape} by itself, which leaves 0 of all of them; "
                "normalise over more places or channels at a time, or leave it out"
            )
        self.ask_affine(shape)
        self._view = (-1, places, groups, shape[-1] // groups)
        statistics = (int(np.prod(shape[:-1])) // places, 1, groups, 1)
        self.workspace("mean", statistics)
        self.workspace("inverse", statistics)
        self.workspace("moment", statistics, temporary=True)
        self._over_steps = self.has_mask and places > 1
        if self._over_steps:
            self.workspace("share", (places, 1, 1))
        return shape

    def forward(self, x: Array, y: Array, training: bool) -> None:
        gamma, beta = (array.reshape(self._view[2:]) for array in self.affine())
        x, y, scratch = (array.reshape(self._view) for array in (x, y, self.scratch))
        mean, inverse = (self._statistics(array) for array in (self.mean, self.inverse))
        if self._over_steps:
            self._masked(x, y, gamma, beta, mean, inverse, scratch)
        else:
            self.kernels.group_norm(x, y, gamma, beta, mean, inverse, self.epsilon, scratch)

    def _masked(
        self, x: Array, y: Array, gamma: Array, beta: Array, mean: Array, inverse: Array, scratch: Array
    ) -> None:
        """The same over the steps that count, with y = 0 at the others."""
        mask, count = self._mask(), self._statistics(self.moment)[:, :, :1]
        np.sum(mask, axis=1, keepdims=True, out=count, dtype=x.dtype)
        np.multiply(np.maximum(count, 1, out=count), self._view[-1], out=count)
        np.divide(mask, count, out=self.share)
        np.multiply(x, self.share, out=scratch)
        np.sum(scratch, axis=(1, 3), keepdims=True, out=mean)
        np.subtract(x, mean, out=y)
        np.multiply(y, y, out=scratch)
        np.multiply(scratch, self.share, out=scratch)
        np.sum(scratch, axis=(1, 3), keepdims=True, out=inverse)
        np.add(inverse, self.epsilon, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.reciprocal(inverse, out=inverse)
        np.multiply(y, inverse, out=y)
        np.multiply(y, gamma, out=y)
        np.add(y, beta, out=y)
        np.multiply(y, mask, out=y)

    def _masked_gradient(
        self, x: Array, dy: Array, dx: Array | None, gamma: Array, mean: Array, inverse: Array, scratch: Array
    ) -> None:
        """dγ, dβ and, unless it is None, dx = inverse (g − Σ g/m − x̂ Σ g x̂/m) at the steps that count, else 0."""
        _, dgamma, dbeta = (array.reshape(self._view[2:]) for array in (gamma, *self.affine_gradients()))
        np.multiply(dy, self._mask(), out=dy)
        np.sum(dy, axis=(0, 1), out=dbeta)
        np.subtract(x, mean, out=scratch)
        np.multiply(scratch, inverse, out=scratch)
        np.einsum("ntgc,ntgc->gc", dy, scratch, out=dgamma)
        if dx is None:
            return
        moment = self._statistics(self.moment)
        np.multiply(dy, gamma, out=dy)
        np.multiply(dy, scratch, out=dx)
        np.multiply(dx, self.share, out=dx)
        np.sum(dx, axis=(1, 3), keepdims=True, out=moment)
        np.multiply(scratch, moment, out=scratch)
        np.multiply(dy, self.share, out=dx)
        np.sum(dx, axis=(1, 3), keepdims=True, out=moment)
        np.subtract(dy, moment, out=dx)
        np.subtract(dx, scratch, out=dx)
        np.multiply(dx, inverse, out=dx)
        np.multiply(dx, self._mask(), out=dx)

    def _mask(self) -> Array:
        assert self.mask is not None, "asked where there is a mask"
        return self.mask[..., None, None]

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        _, places, groups, width = self._view
        rows = places == groups == 1
        v = x if rows else graph.add("Reshape", x, np.array(self._view))
        mask = graph.masks[0] if self._over_steps else None
        centred = graph.add("Sub", v, self._onnx_mean(graph, v, mask))
        variance = self._onnx_mean(graph, graph.add("Mul", centred, centred), mask)
        y = graph.add("Div", centred, graph.add("Sqrt", graph.add("Add", variance, self.epsilon)))
        if self.scale:
            y = graph.add("Mul", y, self.gamma if rows else self.gamma.reshape(groups, width))
        if self.center:
            y = graph.add("Add", y, self.beta if rows else self.beta.reshape(groups, width))
        return zeroed(graph, y if rows else graph.add("Reshape", y, graph.add("Shape", x)), mask)

    def _onnx_mean(self, graph: OnnxGraph, v: str, mask: str | None) -> str:
        _, places, groups, width = self._view
        if mask is None:
            return graph.add("ReduceMean", v, axes=[-1] if places == groups == 1 else [1, 3], keepdims=1)
        counted = graph.cast(graph.add("Unsqueeze", mask, np.array([2, 3])), "float32")
        count = graph.add("Max", graph.add("ReduceSum", counted, np.array([1]), keepdims=1), 1.0)
        total = graph.add("ReduceSum", graph.add("Mul", v, counted), np.array([1, 3]), keepdims=1)
        return graph.add("Div", total, graph.add("Mul", count, float(width)))

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        gamma, dgamma, dbeta = (array.reshape(self._view[2:]) for array in (self.affine()[0], *self.affine_gradients()))
        x, dy, scratch = (array.reshape(self._view) for array in (x, dy, self.scratch))
        mean, inverse, moment = (self._statistics(array) for array in (self.mean, self.inverse, self.moment))
        dx = None if dx is None else dx.reshape(self._view)
        if self._over_steps:
            self._masked_gradient(x, dy, dx, gamma, mean, inverse, scratch)
            return
        self.kernels.group_norm_gradient(x, dy, dx, gamma, mean, inverse, dgamma, dbeta, self.tile, scratch, moment)

    @staticmethod
    def _statistics(x: Array) -> Array:
        return x.reshape(-1, *x.shape[-3:])
