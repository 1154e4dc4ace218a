from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from annotated_types import Gt

from backprop_cli.data.arrays import Array
from backprop_cli.data.transform import Chunks, Transform, as_float, slot, transform
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc


@transform("smooth_clip")
class SmoothClip(Transform):
    """x ↦ x / √(1 + (x / limit)²): as it is near 0, and never beyond ± limit, however far off.

    Columns that hold codes of categories stay as they are.
    x (N, …, F) ↦ (N, …, F) floats   y as it is.  As in RealMLP, arXiv:2407.04491
    """

    in_place: ClassVar[bool] = True
    spares_codes: ClassVar[bool] = True

    limit: Annotated[float, Gt(0), Doc("what no value exceeds")] = 3.0

    learned_share: Array = slot()  # (F,): 1 / limit², 0 for codes

    def fit(self, chunks: Chunks, y: Array) -> None:
        x, _ = next(iter(chunks()))
        self.learned_share = np.full(x.shape[-1], self.limit**-2.0)
        self.learned_share[[*self.codes]] = 0.0

    def state(self) -> dict[str, Array]:
        return {"share": self.learned_share}

    def load_state(self, state: dict[str, Array]) -> None:
        self.learned_share = state["share"]

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        square = graph.add("Mul", graph.add("Mul", x, x), self.learned_share)
        return graph.add("Div", x, graph.add("Sqrt", graph.add("Add", square, 1.0)))

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        x = as_float(x, out)
        below = np.square(x)
        np.multiply(below, self.learned_share.astype(out.dtype), out=below)
        np.add(below, 1, out=below)
        np.sqrt(below, out=below)
        np.divide(x, below, out=out)
        return y
