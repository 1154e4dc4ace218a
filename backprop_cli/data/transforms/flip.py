from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
from annotated_types import Interval

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Transform, image_size, transform
from backprop_cli.registry import Doc


@transform("flip", "random_flip")
class Flip(Transform):
    """Mirror each image with `probability`, left-right (`horizontal`) or upside down (`vertical`).

    x (N, H, W) or (N, H, W, C) ↦ the same shape and dtype   y as it is.  Raises BuildError for anything but images.
    """

    augments: ClassVar[bool] = True
    in_place: ClassVar[bool] = True

    axis: Annotated[
        Literal["horizontal", "vertical"], Doc("horizontal swaps left and right, vertical top and bottom")
    ] = "horizontal"
    probability: Annotated[float, Interval(ge=0, le=1), Doc("with which an image is mirrored")] = 0.5

    def output_shape(self, shape: Shape) -> Shape:
        image_size(self.type_name, shape)
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        return dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        chosen = np.flatnonzero(rng.random(len(x)) < self.probability)
        mirrored = np.flip(x[chosen], 2 if self.axis == "horizontal" else 1)
        if not np.may_share_memory(x, out):
            np.copyto(out, x)
        out[chosen] = mirrored
        return y
