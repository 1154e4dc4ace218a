from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.losses.base import Elementwise, loss
from backprop_cli.registry import Doc


@loss("huber", "huber_loss", "smooth_l1", "smooth_l1_loss")
class Huber(Elementwise):
    """Squares near the target, absolute differences further than δ from it.

    L = 1/(N K) Σ h(y − t),  h(d) = ½ d² where |d| ≤ δ, else δ |d| − ½ δ²          y, t (N, K)
    dy = clip(y − t, −δ, δ) / (N K)
    Huber 1964, doi:10.1214/aoms/1177703732. PyTorch's SmoothL1Loss with beta = δ is this over δ.
    """

    listed_under = "Used most"

    delta: Annotated[float, Gt(0), Doc("error, in the units of the target, beyond which the loss grows linearly")] = 1.0

    examples = [
        {"output": (3,), "target": "values"},
        {"options": {"delta": 0.3}, "output": (2, 2), "target": "values"},
    ]

    def values(self, y: Array, t: Array, out: Array) -> None:
        clipped = self.scratch("clipped", y.shape, y.dtype)
        np.subtract(y, t, out=out)
        np.clip(out, -self.delta, self.delta, out=clipped)
        np.multiply(out, clipped, out=out)  # h = c d − ½ c², c the clipped d
        np.multiply(clipped, clipped, out=clipped)
        np.multiply(clipped, 0.5, out=clipped)
        np.subtract(out, clipped, out=out)

    def slopes(self, y: Array, t: Array, out: Array) -> None:
        np.subtract(y, t, out=out)
        np.clip(out, -self.delta, self.delta, out=out)
