from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.losses.base import Loss, loss, mean, weigh
from backprop_cli.errors import BuildError

SMALLEST = 1e-6  # a norm below this counts as this, so that the zero vector has a gradient


@loss("cosine_similarity", "cosine", "cosine_loss")
class CosineSimilarity(Loss):
    """Minus the cosine of the angle between output and target: −1 where they point the same way.

    L = −1/N Σ_n ŷ·t̂,  ŷ = y/‖y‖, t̂ = t/‖t‖          dy = ((ŷ·t̂) ŷ − t̂) / (‖y‖ N)          y, t (N, K)
    or (N, T, K). The sign is Keras's; PyTorch's CosineEmbeddingLoss is one more.
    """

    meets_targets = False

    examples = [{"output": (3,), "target": "values"}, {"output": (2, 2), "target": "values"}]

    def check(self, output: Shape, target: Shape, target_dtype: np.dtype[Any], classes: int | None) -> None:
        super().check(output, target, target_dtype, classes)
        if output[-1:] == (1,):
            raise BuildError(
                f"{self.type_name} compares directions, and a single number has only a sign; use mean_squared_error"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        unit_y, unit_t = self._unit("y", y, y.dtype), self._unit("t", target, y.dtype)
        np.multiply(unit_y, unit_t, out=unit_y)
        cosines = self.scratch("cosines", y.shape[:-1], y.dtype)
        np.sum(unit_y, axis=-1, out=cosines)
        return -mean(cosines, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        unit_y, unit_t = self._unit("y", y, y.dtype), self._unit("t", target, y.dtype)
        cosines = self.scratch("row", (*y.shape[:-1], 1), y.dtype)
        np.multiply(unit_y, unit_t, out=dz)
        np.sum(dz, axis=-1, keepdims=True, out=cosines)
        np.multiply(unit_y, cosines, out=dz)
        np.subtract(dz, unit_t, out=dz)
        np.divide(dz, self.views["norm y"], out=dz)
        weigh(dz, weight, y.size // y.shape[-1])

    def _unit(self, name: str, vectors: Array, dtype: Any) -> Array:
        """Vectors of length one; their lengths stay in scratch."""
        unit = self.scratch(f"unit {name}", vectors.shape, dtype)
        norm = self.scratch(f"norm {name}", (*vectors.shape[:-1], 1), dtype)
        np.multiply(vectors, vectors, out=unit)
        np.sum(unit, axis=-1, keepdims=True, out=norm)
        np.sqrt(norm, out=norm)
        np.maximum(norm, SMALLEST, out=norm)
        np.divide(vectors, norm, out=unit)
        return unit
