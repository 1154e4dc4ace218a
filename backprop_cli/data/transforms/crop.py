from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, check_value, image_size, slot, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc

Pixels = Annotated[int, Ge(1)]


@transform("crop", "random_crop")
class Crop(Transform):
    """A window of `size` pixels: at a random place while training, the middle otherwise.

    With `padding`, the image is first surrounded by that many pixels of `value` while training;
    `{size: 32, padding: 4}` is the usual augmentation of CIFAR-10.

    x (N, H, W) or (N, H, W, C) ↦ (N, height, width[, C]) of the same dtype   y as it is
    Raises BuildError for anything but images, a window larger than they are, and a `value` that x cannot hold.
    """

    augments: ClassVar[bool] = True
    always: ClassVar[bool] = True

    size: Annotated[Pixels | list[Pixels], Doc("height and width of the window in pixels, or one number for both")]
    padding: Annotated[int, Ge(0), Doc("pixels added at each side before a random window is cut")] = 0
    value: Annotated[float, Doc("of the added pixels")] = 0.0

    padded: Array = slot()

    def _window(self) -> tuple[int, int]:
        sides = [self.size] * 2 if isinstance(self.size, int) else self.size
        if len(sides) != 2:
            raise BuildError(f"expected size: pixels or [height, width], got {self.size}", "crop")
        return sides[0], sides[1]

    def output_shape(self, shape: Shape) -> Shape:
        height, width = image_size(self.type_name, shape)
        h, w = self._window()
        if h > height or w > width:
            raise BuildError(f"a window of {h} × {w} does not fit into images of {height} × {width}", "crop")
        return (h, w, *shape[2:])

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        check_value(self.type_name, self.value, dtype)
        return dtype

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        height, width = graph.shapes[0][:2]
        h, w = self._window()
        start = np.array([(height - h) // 2, (width - w) // 2])
        return graph.add("Slice", x, start, start + np.array([h, w]), np.array([1, 2]))

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        h, w = out.shape[1:3]
        height, width = x.shape[1:3]
        if rng is None:
            top, left = (height - h) // 2, (width - w) // 2
            np.copyto(out, x[:, top : top + h, left : left + w])
            return y
        if self.padding:
            x = self._pad(x)
            height, width = x.shape[1:3]
        tops = rng.integers(height - h + 1, size=len(x)).tolist()
        lefts = rng.integers(width - w + 1, size=len(x)).tolist()
        for i, (top, left) in enumerate(zip(tops, lefts, strict=True)):
            out[i] = x[i, top : top + h, left : left + w]
        return y

    def _pad(self, x: Array) -> Array:
        p, (n, height, width) = self.padding, x.shape[:3]
        if self.padded is None or len(self.padded) < n or self.padded.dtype != x.dtype:
            self.padded = np.full((n, height + 2 * p, width + 2 * p, *x.shape[3:]), self.value, x.dtype)
        self.padded[:n, p : p + height, p : p + width] = x
        return self.padded[:n]
