from __future__ import annotations

from typing import ClassVar

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, minus, onnx_minus, slot, transform
from backprop_cli.data.transforms.standardize import check_statistics
from backprop_cli.onnx import OnnxGraph


@transform("robust_scale", "robust_scaler")
class RobustScale(Transform):
    """x ↦ (x − median) / (q₇₅ − q₂₅), each column by its own, learned from the training split.

    A few values far off move neither. Where the quartiles coincide, half the range takes their place, and 1 where there
    is none. Columns that hold codes of categories stay as they are.
    x (N, …, F) ↦ (N, …, F) floats   y as it is.  As in RealMLP, arXiv:2407.04491
    """

    in_place: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True
    spares_codes: ClassVar[bool] = True

    learned_center: Array = slot()
    learned_width: Array = slot()

    def fit(self, chunks: Chunks, y: Array) -> None:
        rows = np.concatenate([x.reshape(-1, x.shape[-1]).copy() for x, _ in chunks()])
        low, center, high = np.quantile(rows, (0.25, 0.5, 0.75), axis=0)
        width = np.where(high > low, high - low, (rows.max(axis=0) - rows.min(axis=0)) / 2)
        self.learned_center, self.learned_width = center, np.where(width > 0, width, 1.0)
        for column in self.codes:
            self.learned_center[column], self.learned_width[column] = 0.0, 1.0

    def state(self) -> dict[str, Array]:
        return {"center": self.learned_center, "width": self.learned_width}

    def load_state(self, state: dict[str, Array]) -> None:
        self.learned_center, self.learned_width = state["center"], state["width"]

    def output_shape(self, shape: Shape) -> Shape:
        check_statistics(self.type_name, self.learned_center, shape)
        return shape

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        return graph.add("Mul", onnx_minus(graph, x, self.learned_center), 1 / self.learned_width)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        minus(x, self.learned_center, out)
        np.multiply(out, (1 / self.learned_width).astype(out.dtype), out=out)
        return y
