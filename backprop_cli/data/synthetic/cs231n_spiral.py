from __future__ import annotations

from typing import Annotated

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import AtLeastOne, AtLeastTwo, Noise, Synthetic, numbered
from backprop_cli.registry import Doc, register
from backprop_cli.seeds import legacy


@register("synthetic", "cs231n_spiral")
class Cs231nSpiral(Synthetic):
    """The spiral of the course notes CS231n: arms of a class each, with noise in the angle.

    x = r (sin t, cos t),   r evenly in [0, 1],   t evenly in [4 class, 4 class + 4] + noise
    x (classes · points, 2)   y (classes · points,) class ids, one arm after the other
    With `seed: 0` the points that np.random.seed(0) gives there.  cs231n.github.io/neural-networks-case-study
    """

    points: Annotated[AtLeastOne, Doc("points of an arm")] = 100
    arms: Annotated[AtLeastTwo, Doc("arms, which are the classes")] = 3
    noise: Annotated[Noise, Doc("standard deviation of the noise added to the angle")] = 0.2

    @property
    def classes(self) -> list[str]:
        return numbered(self.arms)

    def numbers(self) -> int:
        return 3 * self.points * self.arms

    def draw(self, seed: int) -> tuple[Array, Array]:
        rng, radius = legacy(seed), np.linspace(0.0, 1, self.points)
        arms = []
        for arm in range(self.arms):
            angle = np.linspace(arm * 4, (arm + 1) * 4, self.points) + rng.randn(self.points) * self.noise
            arms.append(np.c_[radius * np.sin(angle), radius * np.cos(angle)])
        return np.concatenate(arms), np.repeat(np.arange(self.arms), self.points)
