from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Interval

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, as_float, image_size, transform
from backprop_cli.registry import Doc


@transform("rotate", "random_rotation")
class Rotate(Transform):
    """Turn each image about its middle by an angle uniform in ±`degrees`, with bilinear interpolation.

    What comes into view is `value`.
    x (N, H, W) or (N, H, W, C) ↦ the same shape in floats   y as it is.  Raises BuildError for anything but images.
    """

    augments: ClassVar[bool] = True

    degrees: Annotated[float, Interval(ge=0, le=180), Doc("the largest angle, in degrees, either way")] = 10.0
    value: Annotated[float, Doc("of the pixels that come into view")] = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        image_size(self.type_name, shape)
        return shape

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        dtype = out.dtype
        n, height, width = x.shape[:3]
        angle = np.deg2rad(rng.uniform(-self.degrees, self.degrees, (n, 1, 1))).astype(dtype)
        row = np.arange(height, dtype=dtype)[:, None] - (height - 1) / 2
        column = np.arange(width, dtype=dtype) - (width - 1) / 2
        # where each pixel of the result comes from
        up = np.cos(angle) * row - np.sin(angle) * column + dtype.type((height - 1) / 2)
        left = np.sin(angle) * row + np.cos(angle) * column + dtype.type((width - 1) / 2)
        top, first = np.floor(up).astype(np.int64), np.floor(left).astype(np.int64)
        down, right = up - top, left - first
        pixels = as_float(x, np.empty(x.shape, dtype)).reshape(n * height * width, -1)
        result = out.reshape(n, height, width, -1)
        result[...] = 0
        covered = np.zeros((n, height, width), dtype)
        image = np.arange(n)[:, None, None] * height
        for r, c, weight in (
            (top, first, (1 - down) * (1 - right)),
            (top, first + 1, (1 - down) * right),
            (top + 1, first, down * (1 - right)),
            (top + 1, first + 1, down * right),
        ):
            weight = weight * ((r >= 0) & (r < height) & (c >= 0) & (c < width))
            result += weight[..., None] * pixels.take((image + r) * width + c, 0, mode="clip")
            covered += weight
        if self.value:
            result += ((1 - covered) * self.value)[..., None]
        return y
