from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.convolution import Filters
from backprop_cli.engine.initializers.base import InitializerBase
from backprop_cli.engine.layer import ActivationOption, Initializer, Layer, layer
from backprop_cli.engine.window import Padding, Sizes, axes, checked
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, make, slot


@dataclass(kw_only=True)
class Everywhere(InitializerBase):
    """Fills the kernel of each place by itself, so that the places are no part of its fan-in."""

    inner: Any

    def fill(self, out: Array, rng: np.random.Generator) -> None:
        for position in np.ndindex(*out.shape[:2]):
            self.inner.fill(out[position], rng)


@layer("locally_connected2d", "local2d")
class LocallyConnected2d(Layer):
    """A convolution that shares no weights: every place has a kernel and a bias of its own.

    y = f(z),  z[n, p, q] = b[p, q] + Σᵢⱼ x[n, p·s + i − pad, q·s + j − pad] W[p, q, i, j]
    δ = dy ⊙ f'(z)    dW[p, q, i, j] = Σₙ xᵀ δ[n, p, q]    db = Σₙ δ    dx = Σ δ Wᵀ, each where its x was
    x (N, H, W, C)   W (H', W', kh, kw, C, O)   b (H', W', O)   y (N, H', W', O)
    `padding` as for conv2d.  LeCun 1989, Generalization and network design strategies
    """

    listed_under = "Convolution"

    filters: Filters
    kernel_size: Annotated[Sizes, Doc("places the kernel spans along each axis; one number or one for each axis")]
    strides: Annotated[Sizes, Doc("places from one output to the next; one number or one for each axis")] = 1
    padding: Annotated[Padding, Doc("`valid`, `same`, or zeros to add, as for conv2d")] = "valid"
    activation: Annotated[ActivationOption | None, Doc("applied to the sums; by default none")] = None
    bias: Annotated[bool, Doc("add a trained offset b to every output")] = True
    kernel_initializer: Annotated[Initializer, Doc("first values of the kernel of each place")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Doc("first values of b")] = "zeros"

    W: Array = slot()
    b: Array = slot()
    dW: Array = slot()
    db: Array = slot()
    z: Array = slot()
    patches: Array = slot()
    product: Array = slot()
    spread: Array = slot()

    examples = [
        {"options": {"filters": 2, "kernel_size": 2}, "inputs": [(3, 4, 2)]},
        {"options": {"filters": 1, "kernel_size": [2, 3], "padding": "same", "strides": 2}, "inputs": [(5, 4, 1)]},
        {"options": {"filters": 3, "kernel_size": 2, "activation": "tanh", "bias": False}, "inputs": [(2, 3, 1)]},
        {"options": {"filters": 2, "kernel_size": 3, "padding": 1, "activation": "softmax"}, "inputs": [(2, 2, 3)]},
    ]

    def build(self, *shapes: Shape) -> Shape:
        sizes, channels = checked(shapes[0], 2, self.type_name)
        self._rows, self._columns = axes(sizes, self.kernel_size, self.strides, self.padding)
        grid, window = (self._rows.out, self._columns.out), (self._rows.kernel, self._columns.kernel)
        places, numbers = grid[0] * grid[1], window[0] * window[1] * channels
        kernel = Everywhere(inner=make("initializer", self.kernel_initializer))
        self.parameter("W", (*grid, *window, channels, self.filters), kernel)
        self.workspace("patches", (places, numbers), axis=1)
        self.workspace("product", (places, self.filters), temporary=True, axis=1)
        self.workspace("spread", (places, numbers), temporary=True, axis=1)
        y = (*grid, self.filters)
        if self.bias:
            self.parameter("b", y, self.bias_initializer, decay=False)
        if self.activation is not None:
            self.activation.build(y)
            if not self.activation.in_place:
                self.workspace("z", y)
        return y

    @property
    def needs_output(self) -> bool:
        return self.activation is not None and self.activation.needs_output

    def forward(self, x: Array, y: Array, training: bool) -> None:
        if self._rows.padded or self._columns.padded:
            self.patches[...] = 0
        for of_patches, of_x in self._cells(self.patches, x):
            np.copyto(of_patches, of_x)
        np.matmul(self.patches, self._kernels(self.W), out=self.product)
        z = y if self.activation is None or self.activation.in_place else self.z
        np.copyto(_places_first(z), self.product)
        if self.bias:
            np.add(z, self.b, out=z)
        if self.activation is not None:
            self.activation.forward(z, y, training)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if self.activation is not None:
            self.activation.backward(y if self.activation.in_place else self.z, y, dy, dy)
        if self.bias:
            np.sum(dy, axis=0, out=self.db)
        np.copyto(self.product, _places_first(dy))
        np.matmul(self.patches.transpose(0, 2, 1), self.product, out=self._kernels(self.dW))
        if dx is None:
            return
        np.matmul(self.product, self._kernels(self.W).transpose(0, 2, 1), out=self.spread)
        dx[...] = 0
        for of_spread, of_dx in self._cells(self.spread, dx):
            np.add(of_dx, of_spread, out=of_dx)

    def _kernels(self, W: Array) -> Array:
        """(places, numbers of a window, O)."""
        return W.reshape(self._rows.out * self._columns.out, -1, self.filters)

    def _cells(self, patches: Array, x: Array) -> Iterator[tuple[Array, Array]]:
        """For each cell of the window: the patches (p, q, n, C) that have it, and the cells of x that it lies on."""
        rows, columns = self._rows, self._columns
        laid = patches.reshape(rows.out, columns.out, len(x), rows.kernel, columns.kernel, x.shape[-1])
        for i, j in np.ndindex(rows.kernel, columns.kernel):
            (p, of_height), (q, of_width) = rows.span(i), columns.span(j)
            yield laid[p, q, :, i, j], x[:, of_height, of_width].transpose(1, 2, 0, 3)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        rows, columns = self._rows, self._columns
        pads = np.array([0, rows.before, columns.before, 0, 0, rows.after, columns.after, 0])
        wide = graph.add("Pad", x, pads) if pads.any() else x
        high, width = rows.size + rows.before + rows.after, columns.size + columns.before + columns.after
        at = ((np.arange(rows.out) * rows.stride)[:, None, None, None] + np.arange(rows.kernel)[:, None]) * width + (
            (np.arange(columns.out) * columns.stride)[:, None, None] + np.arange(columns.kernel)
        )
        flat = graph.add("Reshape", wide, np.array([0, high * width, self.W.shape[-2]]))
        places = rows.out * columns.out
        patches = graph.add("Gather", flat, at.reshape(places, -1), axis=1)
        rows_of = graph.add("Reshape", patches, np.array([0, places, 1, self._kernels(self.W).shape[1]]))
        z = graph.add("MatMul", rows_of, np.ascontiguousarray(self._kernels(self.W)))
        z = graph.add("Reshape", z, np.array([0, rows.out, columns.out, self.filters]))
        z = graph.add("Add", z, self.b) if self.bias else z
        return z if self.activation is None else str(self.activation.onnx(graph, z))

    def flops(self, *shapes: Shape) -> int:
        rows, columns = self._rows, self._columns
        return 2 * rows.out * columns.out * rows.kernel * columns.kernel * shapes[0][-1] * self.filters


def _places_first(z: Array) -> Array:
    """(n, H', W', O) as (places, n, O)."""
    return z.reshape(len(z), -1, z.shape[-1]).transpose(1, 0, 2)
