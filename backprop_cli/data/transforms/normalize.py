from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from backprop_cli.data.transform import Array, Chunks, Shape, Transform, minus, onnx_minus, slot, transform
from backprop_cli.data.transforms.standardize import check_statistics, statistics_axes
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("normalize", "min_max")
class Normalize(Transform):
    """x ↦ low + (x − min) / (max − min) · (high − low): the training split exactly fills [low, high].

    min and max are learned for each index of the last axis (`per: channel`), each value of a row
    (`position`) or once (`all`). A constant feature becomes `low`. Rows outside the training split
    may leave the range. For a given mean and std (torchvision's Normalize) use `standardize`.
    """

    in_place: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True

    per: Annotated[
        Literal["channel", "position", "all"],
        Doc("one minimum and maximum for each channel, each position of a row, or all values together"),
    ] = "channel"
    low: Annotated[float, Doc("what the smallest value of the training split becomes")] = 0.0
    high: Annotated[float, Doc("what the largest value of the training split becomes")] = 1.0

    smallest: Array = slot()
    largest: Array = slot()

    def fit(self, chunks: Chunks, y: Array) -> None:
        smallest, largest = np.float64(np.inf), np.float64(-np.inf)
        for x, _ in chunks():
            axes = statistics_axes(self.per, x.ndim)
            smallest = np.minimum(smallest, x.min(axis=axes))
            largest = np.maximum(largest, x.max(axis=axes))
        self.smallest, self.largest = np.asarray(smallest), np.asarray(largest)

    def state(self) -> dict[str, Array]:
        return {"min": self.smallest, "max": self.largest}

    def load_state(self, state: dict[str, Array]) -> None:
        self.smallest, self.largest = state["min"], state["max"]

    def output_shape(self, shape: Shape) -> Shape:
        check_statistics(self.type_name, self.smallest, shape)
        return shape

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        width = self.largest - self.smallest
        factor = (self.high - self.low) / np.where(width > 0, width, 1.0)
        y = graph.add("Mul", onnx_minus(graph, x, self.smallest), factor)
        return graph.add("Add", y, float(self.low)) if self.low else y

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        width = self.largest - self.smallest
        factor = (self.high - self.low) / np.where(width > 0, width, 1.0)
        minus(x, self.smallest, out)
        np.multiply(out, factor.astype(out.dtype), out=out)
        if self.low:
            np.add(out, self.low, out=out)
        return y
