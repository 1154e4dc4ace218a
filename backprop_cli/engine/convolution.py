"""What convolutional layers have in common: options, geometry, and the walk over a batch.

The windows of a few images at a time are laid out as a matrix (im2col) and multiplied by W, so that
the layout, which is kernel-size times larger than the input, stays in the processor's cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from backprop_cli.engine.layer import ActivationOption, Array, Initializer, Layer, Shape
from backprop_cli.engine.window import Axis, Padding, Sizes, axes, checked, sizes_of
from backprop_cli.errors import BuildError
from backprop_cli.registry import slot


@dataclass(kw_only=True)
class Convolution(Layer):
    """y = f(z),  z[o] = b + Σᵢ x[o·stride + i·dilation − padding] W[i], over the axes before the last."""

    kernel_size: Sizes
    strides: Sizes = 1
    padding: Padding = "valid"
    dilation: Sizes = 1
    activation: ActivationOption | None = None
    bias: bool = True
    kernel_initializer: Initializer = "glorot_uniform"
    bias_initializer: Initializer = "zeros"

    rank: ClassVar[int] = 2
    numbers_at_once: ClassVar[int] = 2**18  # of windows laid out: 1 MiB of float32, about a cache

    W: Array = slot()
    b: Array = slot()
    dW: Array = slot()
    db: Array = slot()
    z: Array = slot()
    patches: Array = slot()
    padded: Array = slot()
    partial: Array = slot()
    tile: Array = slot()

    def build(self, *shapes: Shape) -> Shape:
        sizes, channels = checked(shapes[0], self.rank, self.type_name)
        filters, self._groups = self.split(channels)
        self._group_in, self._group_out = channels // self._groups, filters // self._groups
        self._rows, self._columns = self.windows(sizes)
        self._pointwise = self._rows.pointwise and self._columns.pointwise
        y = (*sizes_of((self._rows, self._columns), self.rank), filters)
        taps = self._rows.kernel * self._columns.kernel
        kernel = (self._rows.kernel, self._columns.kernel)[-self.rank :]
        self.parameter("W", (*kernel, self._group_in, filters), self.kernel_initializer)
        self._ask(y, filters, taps)
        return y

    def split(self, channels: int) -> tuple[int, int]:
        """How many filters, in how many groups. Raises BuildError where channels do not divide."""
        raise NotImplementedError

    def windows(self, sizes: Shape) -> tuple[Axis, Axis]:
        return axes(sizes, self.kernel_size, self.strides, self.padding, self.dilation)

    def _ask(self, y: Shape, filters: int, taps: int) -> None:
        """Declare the bias and memory."""
        positions, depth = self._rows.out * self._columns.out, taps * self._group_in
        if self.bias:
            self.parameter("b", (filters,), self.bias_initializer, decay=False)
            self.workspace("tile", (positions, filters), per_sample=False, temporary=True)
        if self.activation is not None:
            self.activation.build(y)
            if not self.activation.in_place:
                self.workspace("z", y)
        if self._pointwise:
            return
        self._at_once = max(1, self.numbers_at_once // (positions * depth))
        self.workspace("patches", (self._at_once * positions * depth,), per_sample=False, temporary=True)
        self.workspace("partial", (depth, filters), per_sample=False, temporary=True)
        if self._rows.padded or self._columns.padded:
            high, wide = (axis.size + axis.before + axis.after for axis in (self._rows, self._columns))
            self.workspace("padded", (self._at_once, high, wide, self._group_in), per_sample=False, temporary=True)

    @property
    def needs_output(self) -> bool:
        return self.activation is not None

    def forward(self, x: Array, y: Array, training: bool) -> None:
        z = y if self.activation is None or self.activation.in_place else self.z
        images, out = self._images(x, self._rows.size), z.reshape(len(x), -1, z.shape[-1])
        self.convolve(images, out)
        if self.bias:
            self.kernels.add_channels(out, self.b, self.tile)
        if self.activation is not None:
            self.activation.forward(z, y, training)

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if self.activation is not None:
            self.activation.backward(y if self.activation.in_place else self.z, y, dy, dy)
        delta = dy.reshape(len(x), -1, dy.shape[-1])
        if self.bias:
            self.kernels.sum_channels(delta, self.db, self.tile)
        size = self._rows.size
        self.convolve_gradient(self._images(x, size), delta, None if dx is None else self._images(dx, size))

    @staticmethod
    def _images(x: Array, height: int) -> Array:
        return x.reshape(len(x), height, -1, x.shape[-1])

    def convolve(self, x: Array, z: Array) -> None:
        """z (n, positions, O) = the windows of x (n, H, W, C) times W."""
        W = self.W.reshape(-1, z.shape[-1])
        for some in self._portions(len(x)):
            for of_x, of_z in self._channel_groups():
                patches = self._patches(x[some, :, :, of_x])
                np.matmul(patches, W[:, of_z], out=self._matrix(z[some])[:, of_z])

    def convolve_gradient(self, x: Array, delta: Array, dx: Array | None) -> None:
        """self.dW and dx from δ = dL/dz (n, positions, O)."""
        filters = delta.shape[-1]
        dW = self.dW.reshape(-1, filters)
        W = self.W.reshape(-1, self._group_in, filters).transpose(0, 2, 1)  # (taps, O, C/groups)
        for some in self._portions(len(x)):
            written = dW if some.start == 0 else self.partial
            for of_x, of_z in self._channel_groups():
                d = self._matrix(delta[some])[:, of_z]
                np.matmul(self._patches(x[some, :, :, of_x]).T, d, out=written[:, of_z])
                if dx is not None:
                    self._scatter(d, W[:, of_z], dx[some, :, :, of_x])
            if some.start > 0:
                np.add(dW, written, out=dW)

    def _portions(self, n: int) -> Iterator[slice]:
        """The batch, a few images at a time."""
        step = n if self._pointwise else self._at_once
        return (slice(start, min(start + step, n)) for start in range(0, n, step))

    def _channel_groups(self) -> Iterator[tuple[slice, slice]]:
        """The channels of x and of z that belong together."""
        c, o = self._group_in, self._group_out
        return ((slice(g * c, (g + 1) * c), slice(g * o, (g + 1) * o)) for g in range(self._groups))

    @staticmethod
    def _matrix(images: Array) -> Array:
        return images.reshape(-1, images.shape[-1])

    def _patches(self, x: Array) -> Array:
        """The windows of x as the rows of a matrix (n·oh·ow, kh·kw·C)."""
        if self._pointwise:
            return _rows_of(x)
        n, rows, columns = len(x), self._rows, self._columns
        shape = (n, rows.out, columns.out, rows.kernel, columns.kernel, self._group_in)
        cols = self.patches[: int(np.prod(shape))].reshape(shape)
        padded = self.padded[:n] if rows.padded or columns.padded else None
        self.kernels.im2col(x, cols, padded, rows, columns)
        return cols.reshape(n * rows.out * columns.out, -1)

    def _scatter(self, delta: Array, W: Array, dx: Array) -> None:
        """Write into dx what δ Wᵀ puts into each window."""
        if self._pointwise:
            np.matmul(delta, W[0], out=_rows_of(dx))
            return
        rows, columns = self._rows, self._columns
        dcols = self.patches[: len(W) * len(delta) * self._group_in].reshape(len(W), len(delta), -1)
        np.matmul(delta, W, out=dcols)
        windows = dcols.reshape(rows.kernel, columns.kernel, len(dx), rows.out, columns.out, -1)
        self.kernels.col2im(windows, dx, rows, columns)

    def flops(self, *shapes: Shape) -> int:
        filters, groups = self.split(shapes[0][-1])
        rows, columns = self.windows(shapes[0][:-1])
        depth = rows.kernel * columns.kernel * shapes[0][-1] // groups
        return 2 * rows.out * columns.out * depth * filters


def grouped(who: str, channels: int, filters: int, groups: int) -> None:
    """Raise BuildError where groups divide neither channels nor filters."""
    if channels % groups or filters % groups:
        raise BuildError(
            f"{who}: {groups} groups do not divide {channels} input channels and {filters} filters; "
            "both must be multiples of groups"
        )


def _rows_of(x: Array) -> Array:
    """(n, H, W, c) as (n·H·W, c) without a copy, where c may be some of the channels of a larger array."""
    return np.lib.stride_tricks.as_strided(x, (x.size // x.shape[-1], x.shape[-1]), (x.strides[2], x.strides[3]))
