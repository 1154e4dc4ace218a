from __future__ import annotations

from typing import Annotated, Literal

import numpy as np

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.metrics.base import metric
from backprop_cli.engine.metrics.matrix import Matrix
from backprop_cli.registry import Doc


@metric("kappa", "cohen_kappa", "cohen_kappa_score")
class Kappa(Matrix):
    """Cohen's kappa: how far predicted and true classes agree beyond chance.

    κ = 1 − Σ w C / Σ w E          C confusion matrix, E the one that chance would give with the same totals
    w[i, j] is 1 for i ≠ j; with `weights` for ordered classes, |i − j| or (i − j)², as far as the answer is off.
    NaN where everything is one class. Cohen 1968, doi:10.1037/h0026256
    """

    weights: Annotated[
        Literal["linear", "quadratic"] | None,
        Doc("how much an answer counts that is k classes off: k or k²; by default all wrong ones alike"),
    ] = None

    @property
    def key(self) -> str:
        return self.type_name if self.weights is None else f"{self.type_name}_{self.weights}"

    def of(self, matrix: Array) -> float:
        places = np.arange(len(matrix))
        away = np.abs(places[:, None] - places).astype(float)
        w = {None: away > 0, "linear": away, "quadratic": away**2}[self.weights]
        chance = np.outer(matrix.sum(axis=1), matrix.sum(axis=0)) / matrix.sum()
        below = (w * chance).sum()
        return float(1 - (w * matrix).sum() / below) if below > 0 else float("nan")
