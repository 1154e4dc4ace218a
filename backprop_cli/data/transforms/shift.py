from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, check_value, image_size, transform
from backprop_cli.errors import BuildError
from backprop_cli.registry import Doc


@transform("shift", "random_shift")
class Shift(Transform):
    """Move each image by up to `pixels` in each direction; what comes into view is `value`.

    x (N, H, W) or (N, H, W, C) ↦ the same shape and dtype   y as it is
    Raises BuildError for anything but images, images not larger than `pixels`, and a `value` that x cannot hold.
    """

    augments: ClassVar[bool] = True

    pixels: Annotated[int, Ge(0), Doc("the largest move in each direction, in pixels")] = 2
    value: Annotated[float, Doc("of the pixels that come into view")] = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        height, width = image_size(self.type_name, shape)
        if self.pixels >= min(height, width):
            raise BuildError(f"{self.pixels} pixels move images of {height} × {width} out of view", "shift")
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        check_value(self.type_name, self.value, dtype)
        return dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        height, width = x.shape[1:3]
        out[...] = self.value
        for i, (down, right) in enumerate(rng.integers(-self.pixels, self.pixels + 1, (len(x), 2)).tolist()):
            rows = slice(max(0, down), height + min(0, down))
            columns = slice(max(0, right), width + min(0, right))
            out[i, rows, columns] = x[
                i, rows.start - down : rows.stop - down, columns.start - right : columns.stop - right
            ]
        return y
