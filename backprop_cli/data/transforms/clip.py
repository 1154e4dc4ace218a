from __future__ import annotations

from typing import ClassVar

import numpy as np

from backprop_cli.data.transform import Array, Transform, as_float, transform


@transform("clip")
class Clip(Transform):
    """x ↦ min(max(x, low), high), elementwise; a bound left out does not bound."""

    in_place: ClassVar[bool] = True

    low: float | None = None
    high: float | None = None

    def apply(self, x: Array, y: Array, out: Array, rng: np.random.Generator | None) -> Array:
        np.clip(as_float(x, out), self.low, self.high, out=out)
        return y
