from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.padding import counts, onnx_kept, padding
from backprop_cli.data.transform import Chunks, Transform, minus, onnx_minus, slot, transform
from backprop_cli.data.transforms.standardize import MaskValue, check_statistics, statistics_axes
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("normalize", "min_max")
class Normalize(Transform):
    """x ↦ low + (x − min) / (max − min) · (high − low): the training split exactly fills [low, high].

    min and max are learned for each index of the last axis (`per: channel`), each value of a row
    (`position`) or once (`all`). A constant feature becomes `low`. Rows outside the training split
    may leave the range. For a given mean and std (torchvision's Normalize) use `standardize`.
    x (N, …) ↦ (N, …) floats   y as it is.  Raises BuildError for statistics that do not fit the rows.
    """

    in_place: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True

    per: Annotated[
        Literal["channel", "position", "all"],
        Doc("one minimum and maximum for each channel, each position of a row, or all values together"),
    ] = "channel"
    low: Annotated[float, Doc("what the smallest value of the training split becomes")] = 0.0
    high: Annotated[float, Doc("what the largest value of the training split becomes")] = 1.0

    mask_value: MaskValue = None

    smallest: Array = slot()
    largest: Array = slot()

    def fit(self, chunks: Chunks, y: Array) -> None:
        smallest, largest = np.float64(np.inf), np.float64(-np.inf)
        for x, _ in chunks():
            axes, counted = statistics_axes(self.per, x.ndim), counts(x, self.mask_value)
            low, high = (x, x) if counted is True else (np.where(counted, x, np.inf), np.where(counted, x, -np.inf))
            smallest = np.minimum(smallest, low.min(axis=axes))
            largest = np.maximum(largest, high.max(axis=axes))
        seen = np.asarray(smallest <= largest)  # what is padding in every row has no range
        self.smallest, self.largest = (np.where(seen, bound, 0.0) for bound in (smallest, largest))

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
        return onnx_kept(graph, x, graph.add("Add", y, float(self.low)) if self.low else y, self.mask_value)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        width = self.largest - self.smallest
        factor = (self.high - self.low) / np.where(width > 0, width, 1.0)
        padded = padding(x, self.mask_value)
        minus(x, self.smallest, out)
        np.multiply(out, factor.astype(out.dtype), out=out)
        if self.low:
            np.add(out, self.low, out=out)
        if padded is not None:
            out[padded] = self.mask_value
        return y
