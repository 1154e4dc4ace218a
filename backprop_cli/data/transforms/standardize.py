from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.padding import counts, onnx_kept, padding
from backprop_cli.data.transform import Chunks, Transform, minus, onnx_minus, slot, transform
from backprop_cli.errors import BuildError
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc

MaskValue = Annotated[
    float | None,
    Doc("steps of a sequence whose features all equal this do not count, and stay; by default those of `masking`"),
]
_ROUNDING = 1e-14  # a std smaller than this share of the mean is rounding, not spread


@transform("standardize", "normalization", "Normalize")
class Standardize(Transform):
    """x ↦ (x − mean) / std, both learned from the training split, or given.

    `per: channel` has one mean and std for each index of the last axis (a column of a table, a colour,
    a feature of a sequence), `position` one for each value of a row, `all` a single one.
    The std of a constant counts as 1; columns that hold codes of categories stay as they are. Keras calls this
    Normalization, torchvision Normalize.
    x (N, …) ↦ (N, …) floats   y as it is.  Raises BuildError for statistics that do not fit the rows.
    """

    in_place: ClassVar[bool] = True
    spares_codes: ClassVar[bool] = True
    onnx_exact: ClassVar[bool] = True

    per: Annotated[
        Literal["channel", "position", "all"],
        Doc("one mean and deviation for each channel, each position of a row, or all values together"),
    ] = "channel"
    mean: Annotated[list[float] | float | None, Doc("subtracted; by default learned from the training split")] = None
    std: Annotated[list[float] | float | None, Doc("divided by; by default learned from the training split")] = None

    mask_value: MaskValue = None

    learned_mean: Array = slot()
    learned_std: Array = slot()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.mean is not None and self.std is not None:
            self._learn(np.array(self.mean, np.float64), np.array(self.std, np.float64))

    def fit(self, chunks: Chunks, y: Array) -> None:
        if self.mean is not None and self.std is not None:
            return
        rows, mean, squares = np.float64(0), np.float64(0), np.float64(0)
        for x, _ in chunks():  # Chan, Golub & LeVeque 1983: blocks merged without cancellation
            axes, counted = statistics_axes(self.per, x.ndim), counts(x, self.mask_value)
            total = x.sum(axis=axes, dtype=np.float64, where=counted)
            n = x.size // max(1, total.size)
            if counted is not True:
                n = np.broadcast_to(counted, x.shape).sum(axis=axes)
            block_mean = total / np.maximum(n, 1)
            spread = np.square(x - block_mean, dtype=np.float64).sum(axis=axes, where=counted)
            delta, share = block_mean - mean, n / np.maximum(rows + n, 1)
            squares = squares + spread + delta**2 * (rows * share)
            mean = mean + delta * share
            rows = rows + n
        self._learn(
            np.asarray(mean if self.mean is None else self.mean, np.float64),
            np.sqrt(squares / np.maximum(rows, 1)) if self.std is None else np.asarray(self.std, np.float64),
        )

    def _learn(self, mean: Array, std: Array) -> None:
        self.learned_mean, self.learned_std = mean, np.where(std > _ROUNDING * np.abs(mean), std, 1.0)
        for column in self.codes:
            if self.per != "channel":
                raise BuildError(
                    "some columns hold codes of categories, which only per: channel spares", self.type_name
                )
            self.learned_mean[column], self.learned_std[column] = 0.0, 1.0

    def state(self) -> dict[str, Array]:
        return {"mean": self.learned_mean, "std": self.learned_std}

    def load_state(self, state: dict[str, Array]) -> None:
        self.learned_mean, self.learned_std = state["mean"], state["std"]

    def output_shape(self, shape: Shape) -> Shape:
        check_statistics(self.type_name, self.learned_mean, shape)
        check_statistics(self.type_name, self.learned_std, shape)
        return shape

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        y = graph.add("Mul", onnx_minus(graph, x, self.learned_mean), 1 / self.learned_std)
        return onnx_kept(graph, x, y, self.mask_value)

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        padded = padding(x, self.mask_value)
        minus(x, self.learned_mean, out)
        np.multiply(out, (1 / self.learned_std).astype(out.dtype), out=out)
        if padded is not None:
            out[padded] = self.mask_value
        return y


def statistics_axes(per: str, ndim: int) -> tuple[int, ...]:
    """The axes of a batch (N, …) of `ndim` axes that one statistic is computed over."""
    return {"channel": tuple(range(max(1, ndim - 1))), "position": (0,), "all": tuple(range(ndim))}[per]


def check_statistics(name: str, values: Array | None, shape: Shape) -> None:
    """Raise BuildError unless statistics of shape (), (F,) or that of a row fit rows of this shape."""
    if values is not None and values.ndim and shape[-values.ndim :] != values.shape:
        raise BuildError(f"statistics of shape {values.shape} do not fit rows of shape {shape}", name)
