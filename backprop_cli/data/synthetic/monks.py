from __future__ import annotations

from itertools import product
from typing import Annotated, Literal

import numpy as np

from backprop_cli.data.arrays import Array
from backprop_cli.data.synthetic import Synthetic
from backprop_cli.registry import Doc, register

VALUES = (3, 3, 2, 3, 4, 2)  # of the six attributes
TRAINED = {1: 124, 2: 169, 3: 122}  # rows of the training set of each problem


@register("synthetic", "monks")
class Monks(Synthetic):
    """The MONK's problems: robots of six attributes, all 432 of them, with a rule to learn from a few.

    1: a₁ = a₂ or a₅ is the first   2: exactly two attributes have their first value
    3: a₅ is the third and a₄ the first, or a₅ is not the fourth and a₂ not the third
    x (N, 17) one-hot   y (N,) class ids. First come the 124, 169 or 122 rows to train on, drawn at random, of which 5 %
    have the wrong class in problem 3; then all 432, with the right ones.  Thrun et al. 1991, CMU-CS-91-197
    """

    problem: Annotated[Literal[1, 2, 3], Doc("which of the three rules")] = 1

    @property
    def classes(self) -> list[str]:
        return ["no", "yes"]

    def generate(self, rng: np.random.Generator) -> tuple[Array, Array]:
        a = rng.permutation(np.array(list(product(*map(range, VALUES)))))
        if self.problem == 1:
            y = (a[:, 0] == a[:, 1]) | (a[:, 4] == 0)
        elif self.problem == 2:
            y = (a == 0).sum(1) == 2
        else:
            y = ((a[:, 4] == 2) & (a[:, 3] == 0)) | ((a[:, 4] != 3) & (a[:, 1] != 2))
        x = np.concatenate([np.eye(count)[a[:, column]] for column, count in enumerate(VALUES)], 1)
        trained = TRAINED[self.problem]
        told = y[:trained].copy()
        if self.problem == 3:
            wrong = rng.choice(trained, round(0.05 * trained), replace=False)
            told[wrong] = ~told[wrong]
        return np.concatenate([x[:trained], x]), np.concatenate([told, y]).astype(np.int64)
