from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.pipeline import network_dtype
from backprop_cli.data.transform import Transform, slot, transform
from backprop_cli.onnx import OnnxGraph


@transform("input_as_target")
class InputAsTarget(Transform):
    """The target becomes a copy of x as it is here: y ↦ x, whatever the source has for targets.

    x (N, …) as it is   y ↦ (N, …), x in the network's dtype
    For autoencoders. What comes after it changes x alone, so `noise` or `cutout` after it make a denoising one:
    corrupted while training, whole when evaluated.  Vincent et al. 2008, doi:10.1145/1390156.1390294
    """

    in_place: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True
    new_targets: ClassVar[bool] = True

    shape: Shape = slot()
    kind: np.dtype[Any] = slot()

    def output_shape(self, shape: Shape) -> Shape:
        self.shape = shape
        return shape

    def output_dtype(self, dtype: np.dtype[Any], float_dtype: np.dtype[Any]) -> np.dtype[Any]:
        self.kind = network_dtype(dtype, float_dtype)
        return dtype

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        return self.shape, self.kind

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        if not np.may_share_memory(x, out):
            np.copyto(out, x)
        return x.astype(self.kind)

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return x
