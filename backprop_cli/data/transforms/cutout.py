from __future__ import annotations

from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, check_value, image_size, transform
from backprop_cli.registry import Doc


@transform("cutout", "random_erasing")
class Cutout(Transform):
    """Paint one square of `size` pixels over with `value`, its centre anywhere in the image.

    x (N, H, W) or (N, H, W, C) ↦ the same shape and dtype   y as it is
    Raises BuildError for anything but images, and a `value` that x cannot hold.
    DeVries & Taylor 2017, arXiv:1708.04552
    """

    augments: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    size: Annotated[int, Ge(1), Doc("side of the square in pixels")] = 8
    value: Annotated[float, Doc("that the square is painted with")] = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        image_size(self.type_name, shape)
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        check_value(self.type_name, self.value, dtype)
        return dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        if not np.may_share_memory(x, out):
            np.copyto(out, x)
        before, after = self.size // 2, self.size - self.size // 2
        for i, (row, column) in enumerate(rng.integers(x.shape[1:3], size=(len(x), 2)).tolist()):
            out[i, max(0, row - before) : row + after, max(0, column - before) : column + after] = self.value
        return y
