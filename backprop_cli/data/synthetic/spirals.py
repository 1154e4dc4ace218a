from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Gt

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastTwo, Noise, Sampled, labels, numbered
from backprop_cli.registry import Doc, register


@register("synthetic", "spirals")
class Spirals(Sampled):
    """Arms of a spiral, one a class, wound round each other `turns` times.

    x = r (cos φ, sin φ),   φ = 2π (turns r + class / arms),   r uniform in [0.05, 1]
    x (N, 2)   y (N,) class ids.  Lang & Witbrock 1988, Learning to tell two spirals apart.
    """

    arms: Annotated[AtLeastTwo, Doc("arms of the spiral, which are the classes")] = 2
    turns: Annotated[float, Gt(0), Doc("full turns of each arm; more make the problem harder")] = 1.5
    noise: Noise = 0.02

    @property
    def classes(self) -> list[str]:
        return numbered(self.arms)

    def numbers(self) -> int:
        return self.samples * 3

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        y = labels(self.samples, self.arms, rng)
        radius = rng.uniform(0.05, 1, self.samples)
        angle = 2 * np.pi * (self.turns * radius + y / self.arms)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)
        return x + self.noise * rng.standard_normal(x.shape), y
