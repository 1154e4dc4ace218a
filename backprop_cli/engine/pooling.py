"""What pooling layers have in common: options, geometry, shapes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Layer
from backprop_cli.engine.masks import shifting, windows
from backprop_cli.engine.window import Padding, Sizes, axes, checked, sizes_of
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@dataclass(kw_only=True)
class Pooling(Layer):
    """A window that slides over each channel by itself; strides are the window's size unless given."""

    listed_under = "Pooling"

    pool_size: Annotated[Sizes, Doc("places the window spans along each axis; one number or one for each axis")] = 2
    strides: Annotated[Sizes | None, Doc("places from one window to the next; by default the window's size")] = None
    padding: Annotated[
        Padding, Doc("`valid` drops what does not fill a window, `same` keeps ⌈size / stride⌉; or places to add")
    ] = "valid"

    rank: ClassVar[int] = 2
    keeps_linear: ClassVar[bool] = True

    clean: Array = slot()  # x, where it has a mask, with what never shows at the steps that do not count
    middle: Array = slot()
    dmiddle: Array = slot()

    def build(self, *shapes: Shape) -> Shape:
        sizes, channels = checked(shapes[0], self.rank, self.type_name)
        strides = self.pool_size if self.strides is None else self.strides
        self._rows, self._columns = axes(sizes, self.pool_size, strides, self.padding)
        for axis in (self._rows, self._columns):
            if max(axis.before, axis.after) >= axis.kernel:
                raise BuildError(
                    f"padding {self.padding} of a window of {axis.kernel} leaves windows of nothing but padding; "
                    "pad by less than the window"
                )
        self.memory((self._rows.size, self._columns.out, channels))
        if self.rank == 1:
            self.mask_rule = windows(self._columns, self.padding)
            if self.has_mask:
                self.workspace("clean", shapes[0], temporary=True)
                self.remark = shifting(self._columns, self.padding)
        return (*sizes_of((self._rows, self._columns), self.rank), channels)

    def memory(self, middle: Shape) -> None:
        """Ask for workspaces; `middle` is the shape between the pass along W and that along H."""
        raise NotImplementedError  # largest and mean need different memory

    def onnx_pool(self, graph: OnnxGraph, op: str, x: str, **options: Any) -> str:
        """Add a pooling operator, which wants channels before places."""
        axes = (self._rows, self._columns)[-self.rank :]
        y = graph.add(
            op,
            graph.add("Transpose", x, perm=[0, 1 + self.rank, *range(1, 1 + self.rank)]),
            kernel_shape=[axis.kernel for axis in axes],
            strides=[axis.stride for axis in axes],
            pads=[*(axis.before for axis in axes), *(axis.after for axis in axes)],
            **options,
        )
        return graph.add("Transpose", y, perm=[0, *range(2, 2 + self.rank), 1])

    def images(self, x: Array, height: int) -> Array:
        """Sequences as images of one row."""
        return x.reshape(len(x), height, -1, x.shape[-1])

    def flops(self, *shapes: Shape) -> int:
        sizes, (rows, columns) = shapes[0], (self._rows, self._columns)
        return rows.out * columns.out * rows.kernel * columns.kernel * sizes[-1]
