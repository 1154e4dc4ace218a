from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, ClassVar

import numpy as np
from annotated_types import Ge, Gt

from backprop_cli.data.arrays import Array, Shape
from backprop_cli.data.transform import Chunks, Transform, as_float, slot, transform
from backprop_cli.data.transforms.one_hot import one_hot
from backprop_cli.registry import Doc


@transform("mixup")
class Mixup(Transform):
    """Blend each row with another one of the batch, and their targets likewise.

    x ↦ λ x + (1 − λ) x′,   y ↦ λ y + (1 − λ) y′,   λ from Beta(alpha, alpha), one a batch
    x (N, …) ↦ (N, …) floats   y (N,) class ids ↦ (N, classes), values (N, K) ↦ (N, K)
    Class ids become one-hot rows first, so that the loss must take those (categorical cross-entropy);
    `classes` is learned where it is left out. Raises DataError for a class id beyond them.
    Zhang et al. 2018, arXiv:1710.09412
    """

    augments: ClassVar[bool] = True
    mixes: ClassVar[bool] = True

    alpha: Annotated[
        float, Gt(0), Doc("of the Beta distribution of λ; small values leave most batches nearly as they are")
    ] = 0.2
    classes: Annotated[
        Annotated[int, Ge(1)] | None, Doc("number of classes; by default learned from the training split")
    ] = None

    count: int = slot()

    def know(self, classes: Sequence[str] | None) -> None:
        if classes is not None:
            self.count = len(classes)

    def fit(self, chunks: Chunks, y: Array) -> None:
        if self.classes is None and not self.count and y.dtype.kind in "iub":
            self.count = int(y.max()) + 1

    def state(self) -> dict[str, Array]:
        return {"count": np.array(self._classes())}

    def load_state(self, state: dict[str, Array]) -> None:
        self.count = int(state["count"])

    def _classes(self) -> int:
        return self.classes or self.count or 1

    def output_target(
        self, shape: Shape, dtype: np.dtype[Any], float_dtype: np.dtype[Any]
    ) -> tuple[Shape, np.dtype[Any]]:
        return ((*shape, self._classes()) if dtype.kind in "iub" else shape), float_dtype

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        assert rng is not None
        share = rng.beta(self.alpha, self.alpha)
        other = rng.permutation(len(x))
        np.multiply(as_float(x, out), share, out=out)
        np.add(out, (1 - share) * as_float(x[other], np.empty_like(out)), out=out)
        targets = one_hot(y, self._classes(), out.dtype, "mixup") if y.dtype.kind in "iub" else y
        return share * targets + (1 - share) * targets[other]
