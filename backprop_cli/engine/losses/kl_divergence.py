from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import Activation
from backprop_cli.engine.losses.base import Loss, check_rows, loss, mean, weigh
from backprop_cli.engine.reading import Scale
from backprop_cli.engine.targets import Targets
from backprop_cli.errors import BuildError


@loss("kl_divergence", "kullback_leibler_divergence", "kl_div", "kld", "kl_div_loss")
class KLDivergence(Loss):
    """Kullback-Leibler divergence of the output distribution from the target distribution.

    L = 1/N Σ_n Σ_k t_k log(t_k / y_k)          dy = −t / (y N)          y, t (N, K) or (N, T, K)
    After a final softmax the two are fused: dz = (y Σ_k t_k − t)/N. 0 log 0 is 0.
    Unlike PyTorch's KLDivLoss it takes probabilities, not their logarithms.
    """

    fuses = ("softmax",)
    answers = "classes"

    examples = [
        {"output": (4,), "target": "distribution", "activation": "softmax"},
        {"output": (2, 3), "target": "distribution", "activation": "softmax"},
    ]

    @property
    def scale(self) -> Scale:
        return "probabilities"

    def check_targets(self, targets: Targets, output: Shape) -> None:
        check_rows(self, targets)

    def check_activation(self, last: Activation | None) -> None:
        if last is not None and not last.distribution:
            raise BuildError(
                f"{self.type_name} takes probabilities that sum to one, got outputs of {last.type_name}; "
                "end with activation: softmax (it is fused with the loss, which takes the logarithm itself)"
            )

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        tiny = np.finfo(y.dtype).tiny
        terms, log_y = self.scratch("terms", y.shape, y.dtype), self.scratch("log y", y.shape, y.dtype)
        self._log(z, y, log_y)
        np.maximum(target, tiny, out=terms)
        np.log(terms, out=terms)
        np.subtract(terms, log_y, out=terms)
        np.multiply(terms, target, out=terms)
        losses = self.scratch("losses", y.shape[:-1], y.dtype)
        np.sum(terms, axis=-1, out=losses)
        return mean(losses, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        if z is y:
            np.maximum(y, np.finfo(y.dtype).tiny, out=dz)
            np.divide(target, dz, out=dz)
            np.negative(dz, out=dz)
        else:
            row = self.scratch("row", (*y.shape[:-1], 1), y.dtype)
            np.sum(target, axis=-1, keepdims=True, out=row)
            np.multiply(y, row, out=dz)
            np.subtract(dz, target, out=dz)
        weigh(dz, weight, y.size // y.shape[-1])

    def _log(self, z: Array, y: Array, out: Array) -> None:
        """log y, from the logits where there are any: z − z_k + log y_k for the likeliest k."""
        if z is y:
            np.maximum(y, np.finfo(y.dtype).tiny, out=out)
            np.log(out, out=out)
            return
        row = self.scratch("row", (*y.shape[:-1], 1), y.dtype)
        np.max(z, axis=-1, keepdims=True, out=row)
        np.subtract(z, row, out=out)
        np.max(y, axis=-1, keepdims=True, out=row)
        np.log(row, out=row)
        np.add(out, row, out=out)
