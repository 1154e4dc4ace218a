"""What convolutional layers have in common: options, geometry, and the walk over a batch.

NumPy's kernels lay out the windows of a few images at a time as a matrix (im2col) and multiply it by W, so that
the layout, which is kernel-size times larger than the input, stays in the processor's cache. Compiled kernels read
windows where they are. The walks forward and back are in one file because they use memory alike.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.lib.stride_tricks import as_strided

from backprop_cli.engine.arrays import Array, Shape, matrix
from backprop_cli.engine.kernels import PANEL, SHARES
from backprop_cli.engine.layer import ActivationOption, Initializer, Layer, PositiveInt
from backprop_cli.engine.window import Axis, Padding, Sizes, axes, checked, sizes_of
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot

Filters = Annotated[PositiveInt, Doc("filters, which are the channels of y")]
Groups = Annotated[
    PositiveInt, Doc("parts that the channels are cut into, each convolved by itself; must divide those of x and y")
]


@dataclass(kw_only=True)
class Convolution(Layer):
    """y = f(z),  z[o] = b + Σᵢ x[o·stride + i·dilation − padding] W[i], over the axes before the last."""

    listed_under = "Convolution"

    kernel_size: Annotated[Sizes, Doc("places the kernel spans along each axis; one number or one for each axis")]
    strides: Annotated[Sizes, Doc("places from one output to the next; one number or one for each axis")] = 1
    padding: Annotated[
        Padding,
        Doc(
            "`valid` adds none, `same` keeps ⌈size / stride⌉; or zeros to add: one number, one for each axis, or pairs"
        ),
    ] = "valid"
    dilation: Annotated[Sizes, Doc("places between neighbouring weights of the kernel; 1 leaves no gap")] = 1
    activation: Annotated[ActivationOption | None, Doc("applied to the sums; by default none")] = None
    bias: Annotated[bool, Doc("add a trained offset b to every filter's output")] = True
    kernel_initializer: Annotated[Initializer, Doc("first values of W")] = "glorot_uniform"
    bias_initializer: Annotated[Initializer, Doc("first values of b")] = "zeros"

    rank: ClassVar[int] = 2
    numbers_at_once: ClassVar[int] = 2**18  # of windows laid out: 1 MiB of float32, about a cache
    rows_at_once: ClassVar[int] = 4096  # more make products of few columns slower

    places_at_once: ClassVar[int] = 2**8  # whose windows a share of compiled kernels takes as terms of one sum

    W: Array = slot()
    b: Array = slot()
    dW: Array = slot()
    db: Array = slot()
    z: Array = slot()
    patches: Array = slot()
    padded: Array = slot()
    partial: Array = slot()
    product: Array = slot()
    tile: Array = slot()

    # ---- what a kind of convolution says about itself ---------------------------------------

    def split(self, channels: int) -> tuple[int, int]:
        """How many filters, in how many groups. Raises BuildError where channels do not divide."""
        raise NotImplementedError  # every kind of convolution has its own

    def windows(self, sizes: Shape) -> tuple[Axis, Axis]:
        return axes(sizes, self.kernel_size, self.strides, self.padding, self.dilation)

    # ---- building ---------------------------------------------------------------------------

    def build(self, *shapes: Shape) -> Shape:
        sizes, channels = checked(shapes[0], self.rank, self.type_name)
        filters, groups = self.split(channels)
        rows, columns = self.windows(sizes)
        self.ask_kernel(rows, columns, channels, filters, groups)
        return self.ask_output((*sizes_of((rows, columns), self.rank), filters))

    def ask_kernel(self, rows: Axis, columns: Axis, channels: int, filters: int, groups: int) -> None:
        """Declare W (kh, kw, channels/groups, filters) and the memory in which windows are laid out."""
        self._rows, self._columns, self._groups = rows, columns, groups
        self._group_in, self._group_out = channels // groups, filters // groups
        self._pointwise = rows.pointwise and columns.pointwise
        self._depthwise = self._group_in == 1 and groups > 1
        positions, depth = rows.out * columns.out, rows.kernel * columns.kernel * self._group_in
        kernel = (rows.kernel, columns.kernel)[-self.rank :]
        self.parameter("W", (*kernel, self._group_in, filters), self.kernel_initializer)
        if self._depthwise:
            self.workspace("product", (rows.out, columns.out, channels, self._group_out), temporary=True)
        elif not self._pointwise:
            fit = min(self.numbers_at_once // depth, self.rows_at_once) // positions
            self._at_once = max(SHARES, fit // SHARES * SHARES)
            self._scratch("patches", (max(self._at_once * positions * depth, self._compiled_numbers()),))
            self._scratch("partial", (SHARES, depth, self._group_out))
            high, wide = (axis.size + axis.before + axis.after for axis in (rows, columns))
            self._pads = rows.padded or columns.padded or groups > 1
            if self._pads:
                frames = max(self._at_once, SHARES * (self.places_at_once // positions))
                self._scratch("padded", (frames, high, wide, self._group_in))

    def _compiled_numbers(self) -> int:
        """Numbers that compiled kernels need for W in panels, either way round, and for frames of δ."""
        axes = self._rows, self._columns
        taps, c, o = prod(axis.kernel for axis in axes), self._group_in, self._group_out
        frame = o * prod(axis.size + (axis.kernel - 1) * axis.dilation for axis in axes)
        return max(taps * c * _panels(o), taps * o * _panels(c) + SHARES * frame)

    def _scratch(self, name: str, shape: Shape) -> None:
        self.workspace(name, shape, per_sample=False, temporary=True)

    def ask_output(self, y: Shape) -> Shape:
        """Declare the bias and what the activation needs, for outputs y."""
        if self.bias:
            self.parameter("b", y[-1:], self.bias_initializer, decay=False)
            self._scratch("tile", (int(np.prod(y[:-1])), y[-1]))
        if self.activation is not None:
            self.activation.build(y)
            if not self.activation.in_place:
                self.workspace("z", y)
        return y

    @property
    def needs_output(self) -> bool:
        return self.activation is not None

    # ---- running ----------------------------------------------------------------------------

    def forward(self, x: Array, y: Array, training: bool) -> None:
        z = self.before_activation(y)
        self.convolve(images(x, self._rows.size), places(z))
        self.finish(z, y, training)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        self.start_backward(y, dy)
        self.kernel_gradient(images(x, self._rows.size), places(dy))
        if dx is not None:
            self.scatter(places(dy), images(dx, self._rows.size))

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        kernel = self.W.transpose(self.rank + 1, self.rank, *range(self.rank))
        return self.onnx_convolution(graph, "Conv", x, kernel, group=self._groups)

    def onnx_convolution(self, graph: OnnxGraph, op: str, x: str, kernel: Array, **options: Any) -> str:
        """Add a convolution, which wants channels before places, its bias and activation."""
        axes = (self._rows, self._columns)[-self.rank :]
        y = graph.add(
            op,
            graph.add("Transpose", x, perm=[0, 1 + self.rank, *range(1, 1 + self.rank)]),
            kernel,
            *([self.b] if self.bias else []),
            kernel_shape=[axis.kernel for axis in axes],
            strides=[axis.stride for axis in axes],
            dilations=[axis.dilation for axis in axes],
            pads=[*(axis.before for axis in axes), *(axis.after for axis in axes)],
            **options,
        )
        y = graph.add("Transpose", y, perm=[0, *range(2, 2 + self.rank), 1])
        return y if self.activation is None else str(self.activation.onnx(graph, y))

    def before_activation(self, y: Array) -> Array:
        """Where z is to be written."""
        return y if self.activation is None or self.activation.in_place else self.z

    def finish(self, z: Array, y: Array, training: bool) -> None:
        """Add the bias to z and write y = f(z)."""
        if self.bias and self.activation is not None and self.activation.adds_bias:
            self.kernels.add_channels_relu(places(z), self.b, self.tile)
            return
        if self.bias:
            self.kernels.add_channels(places(z), self.b, self.tile)
        if self.activation is not None:
            self.activation.forward(z, y, training)

    def start_backward(self, y: Array, dy: Array) -> None:
        """Turn dy into δ = dL/dz and write the bias's gradient."""
        if self.bias and self.activation is not None and self.activation.adds_bias:
            positive = self.activation.positive
            self.kernels.channels_relu_gradient(places(y), places(dy), self.db, self.tile, places(positive))
            return
        if self.activation is not None:
            self.activation.backward(self.before_activation(y), y, dy, dy)
        if self.bias:
            self.kernels.sum_channels(places(dy), self.db, self.tile)

    def convolve(self, x: Array, z: Array) -> None:
        """z (n, positions, O) = the windows of x (n, H, W, C) times W."""
        if self._depthwise:
            z, W = z.reshape(self.product.shape), self._taps(self.W)
            self.kernels.depthwise(x, W, z, self.product, self._rows, self._columns)
            return
        W = self.W.reshape(-1, z.shape[-1])
        for of_x, of_z in self._channel_groups():
            some, out = x[..., of_x], matrix(z)[:, of_z]
            if self._pointwise:
                self.kernels.matmul(_pixels(some), W[:, of_z], out)
            else:
                memory = self.patches, self._frames
                self.kernels.convolve(some, W[:, of_z], out, *memory, self._rows, self._columns)

    def kernel_gradient(self, x: Array, delta: Array) -> None:
        """dW = the windows of x (n, H, W, C), transposed, times δ (n, positions, O)."""
        if self._depthwise:
            delta, dW = delta.reshape(self.product.shape), self._taps(self.dW)
            self.kernels.depthwise_kernel_gradient(x, delta, dW, self.product, self._rows, self._columns)
            return
        dW = self.dW.reshape(-1, delta.shape[-1])
        for of_x, of_z in self._channel_groups():
            some, slopes = x[..., of_x], matrix(delta)[:, of_z]
            if self._pointwise:
                self.kernels.matmul(_pixels(some).T, slopes, dW[:, of_z])
            else:
                memory = self.patches, self._frames, self.partial
                self.kernels.kernel_gradient(some, slopes, dW[:, of_z], *memory, self._rows, self._columns)

    def scatter(self, delta: Array, dx: Array) -> None:
        """dx (n, H, W, C) = δ Wᵀ (n, positions, O), each window's share summed where the window was."""
        if self._depthwise:
            delta, W = delta.reshape(self.product.shape), self._taps(self.W)
            self.kernels.depthwise_input_gradient(delta, W, dx, self.product, self._rows, self._columns)
            return
        W = self.W.reshape(-1, delta.shape[-1])
        for of_x, of_z in self._channel_groups():
            slopes, some = matrix(delta)[:, of_z], dx[..., of_x]
            if self._pointwise:
                self.kernels.matmul(slopes, W[:, of_z].T, _pixels(some))
            else:
                memory = self.patches, self._frames
                self.kernels.input_gradient(slopes, W[:, of_z], some, *memory, self._rows, self._columns)

    @property
    def _frames(self) -> Array | None:
        """Memory for images with zeros around them, or for some of the channels side by side."""
        return self.padded if self._pads else None

    def at_once(self, batch: int) -> int:
        return batch if self._pointwise or self._depthwise else min(batch, self._at_once)

    def _channel_groups(self) -> Iterator[tuple[slice, slice]]:
        """The channels of x and of z that belong together."""
        c, o = self._group_in, self._group_out
        return ((slice(g * c, (g + 1) * c), slice(g * o, (g + 1) * o)) for g in range(self._groups))

    def _taps(self, W: Array) -> Array:
        """A depthwise kernel as (kh, kw, C, filters per channel)."""
        return W.reshape(self._rows.kernel, self._columns.kernel, self._groups, self._group_out)

    def flops(self, *shapes: Shape) -> int:
        filters, groups = self.split(shapes[0][-1])
        rows, columns = self.windows(shapes[0][:-1])
        return 2 * rows.out * columns.out * rows.kernel * columns.kernel * shapes[0][-1] // groups * filters


def grouped(channels: int, filters: int, groups: int) -> tuple[int, int]:
    """(filters, groups). Raises BuildError where groups do not divide channels and filters."""
    if channels % groups or filters % groups:
        raise BuildError(
            f"{groups} groups do not divide {channels} input channels and {filters} filters; "
            "both must be multiples of groups"
        )
    return filters, groups


def images(x: Array, height: int) -> Array:
    """Images as they are; sequences as images of one row."""
    return x.reshape(len(x), height, -1, x.shape[-1])


def places(x: Array) -> Array:
    """All places of an image in one axis."""
    return x.reshape(len(x), -1, x.shape[-1])


def _panels(columns: int) -> int:
    """So many columns filled up to whole panels."""
    return -(-columns // PANEL) * PANEL


def _pixels(x: Array) -> Array:
    """(n, H, W, c) as (n·H·W, c) without a copy, where c may be some of the channels of a larger array."""
    return as_strided(x, (x.size // x.shape[-1], x.shape[-1]), (x.strides[2], x.strides[3]))
