from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array, Shape
from backprop_cli.engine.layer import layer
from backprop_cli.engine.masks import zeroed
from backprop_cli.engine.normalization import Normalization
from backprop_cli.engine.ranks import Ranks
from backprop_cli.onnx import OnnxGraph
from backprop_cli.registry import Doc, slot


@layer("batch_norm", "batch_normalization", "batchnorm", "batch_norm1d", "batch_norm2d")
class BatchNorm(Normalization):
    """Each channel shifted and scaled to the mean 0 and variance 1 of its batch, then by what is learnt.

    y = γ x̂ + β,  x̂ = (x − μ) / √(σ² + ε)          x, y (N, ..., C)   γ, β (C,)   m = numbers per channel
    Training: μ = Σ x / m, σ² = Σ (x − μ)² / m of the batch. Inference, and where the layer is frozen: the running ones;
    they stand in for a batch, too, that has one number per channel (m = 1), and stay as they are.
    Steps that a mask leaves out do not count, and y is 0 there.
    dγ = Σ dy x̂    dβ = Σ dy    dx = γ / √(σ² + ε) (dy − dβ/m − x̂ dγ/m); with running statistics γ dy / √(σ² + ε)
    running ← momentum · running + (1 − momentum) · batch, the variance by m − 1. So momentum is the share kept, as
    in Keras (whose default is 0.99); PyTorch's momentum is 1 − ours, and its default 0.1 is our 0.9. ε is PyTorch's
    1e-5, added under the root; Keras's default is 1e-3.
    Ioffe & Szegedy 2015, arXiv:1502.03167
    """

    momentum: Annotated[
        float,
        Interval(ge=0, le=1),
        Doc("share of the running mean and variance kept at each step; PyTorch's momentum is 1 − this"),
    ] = 0.9

    mixes_examples = True

    implied = {name: {"momentum": lambda share: 1 - share} for name in ("BatchNorm1d", "BatchNorm2d")}  # PyTorch's

    running_mean: Array = slot()
    running_variance: Array = slot()
    factors: Array = slot()
    packed: Array = slot()  # x, dy and dx of the steps that count, one after the other
    batch: bool = slot()
    numbers: int = slot()  # m of the last batch of training, else 0

    examples = [
        {"options": {}, "inputs": [(4,)]},
        {"options": {"scale": False, "epsilon": 1e-3}, "inputs": [(2, 3, 2)]},
        {"options": {"center": False, "momentum": 0.5}, "inputs": [(5, 1)]},
        {"options": {}, "inputs": [(3, 4)], "padded": True},
    ]

    def build(self, *shapes: Shape) -> Shape:
        (shape,) = shapes
        self.ask_affine(shape)
        self.state("running_mean", shape[-1:])
        self.state("running_variance", shape[-1:], 1.0)
        self.workspace("factors", (3, shape[-1]), per_sample=False)
        if int(np.prod(shape[:-1])) == 1 and self.frozen is not True:
            self.least_rows = 2
        if self.has_mask:
            self.workspace("packed", (3, *shape), axis=1, temporary=True)
        return shape

    def forward(self, x: Array, y: Array, training: bool) -> None:
        mean, inverse, scale = self.factors
        gamma, beta = self.affine()
        m = self.numbers = self._statistics(x, mean, inverse) if training and self.frozen is not True else 0
        self.batch = m > 1  # the variance of one number is none
        if self.batch:
            self._follow(self.running_mean, mean)
            self._follow(self.running_variance, inverse * (m / (m - 1)))
        else:
            np.copyto(mean, self.running_mean)
            np.copyto(inverse, self.running_variance)
        np.add(inverse, self.epsilon, out=inverse)
        np.sqrt(inverse, out=inverse)
        np.reciprocal(inverse, out=inverse)
        np.multiply(inverse, gamma, out=scale)
        self.kernels.batch_norm(self._columns(x), self._columns(y), mean, scale, beta, self.tile)
        if self.mask is not None:
            np.multiply(y, self.mask[..., None], out=y)

    def _statistics(self, x: Array, mean: Array, variance: Array) -> int:
        """Write mean and variance of each channel, unless it has one number only; how many it has, over all ranks."""
        rows = self._counted()
        m = x.size // x.shape[-1] if rows is None else len(rows)
        if m > 1 or (m and self.ranks.count > 1):
            counted = self._columns(x) if rows is None else self._pack(0, x, rows)
            self.kernels.batch_statistics(counted, mean, variance, *self._memory(counted))
        return m if self.ranks.count == 1 else _merge(self.ranks, m, mean, variance)

    def _follow(self, running: Array, batch: Array) -> None:
        running *= self.momentum
        running += (1 - self.momentum) * batch

    def onnx(self, graph: OnnxGraph, x: str) -> str:
        scale = 1 / np.sqrt(self.running_variance + self.epsilon)
        y = graph.add("Mul", graph.add("Sub", x, self.running_mean), scale * self.gamma if self.scale else scale)
        return zeroed(graph, graph.add("Add", y, self.beta) if self.center else y, graph.masks[0])

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        rows, given = self._counted(), dx
        if rows is None:
            x, dy, dx = self._columns(x), self._columns(dy), None if dx is None else self._columns(dx)
        else:
            x, dy = self._pack(0, x, rows), self._pack(1, dy, rows)
            dx = None if dx is None else self._packed(2, len(rows))
        mean, inverse, scale = self.factors
        dgamma, dbeta = self.affine_gradients()
        memory, mixed = self._memory(x), self.batch and self.ranks.count > 1
        alone = self.batch and not mixed
        self.kernels.batch_norm_gradient(x, dy, dx, mean, inverse, scale, dgamma, dbeta, *memory, alone)
        if mixed:
            self._mix(x, dx, dgamma, dbeta)
        if rows is not None and given is not None and dx is not None:
            given[...] = 0
            given.reshape(-1, given.shape[-1])[rows] = dx[:, 0]

    def _mix(self, x: Array, dx: Array | None, dgamma: Array, dbeta: Array) -> None:
        """dx −= γ / √(σ² + ε) (dβ/m + x̂ dγ/m), with the sums over all ranks."""
        mean, inverse, scale = self.factors
        sums = np.stack([dgamma, dbeta]).astype(np.float64)
        self.ranks.add(sums)
        if dx is None:
            return
        by, shift = (scale * (sums / self.numbers)).astype(scale.dtype)
        tile, part = self._memory(x)
        self.kernels.batch_norm(x, part, mean, by * inverse, shift, tile)
        np.subtract(dx, part, out=dx)

    def _counted(self) -> Array | None:
        """Which steps of the batch, one after the other, count; None where all do."""
        return None if self.mask is None else np.flatnonzero(self.mask)

    def _packed(self, which: int, rows: int) -> Array:
        packed: Array = self.packed[which].reshape(-1, 1, self.packed.shape[-1])
        return packed[:rows]

    def _pack(self, which: int, x: Array, rows: Array) -> Array:
        """The steps of x that count, as (m, 1, C)."""
        packed = self._packed(which, len(rows))
        np.take(x.reshape(-1, x.shape[-1]), rows, axis=0, out=packed[:, 0], mode="clip")
        return packed

    def _memory(self, x: Array) -> tuple[Array, Array]:
        """A tile and scratch memory that fit x (n, S, C)."""
        return self.tile[: x.shape[1]], self.scratch.reshape(-1, *x.shape[1:])[: len(x)]

    @staticmethod
    def _columns(x: Array) -> Array:
        return x.reshape(len(x), -1, x.shape[-1])


def _merge(ranks: Ranks, m: int, mean: Array, variance: Array) -> int:
    """Put mean and variance of all ranks' numbers in the place of those of m numbers; how many they are.
    Chan, Golub & LeVeque 1979."""
    own = np.zeros(1 + 2 * mean.size)
    if m:
        own[:] = np.concatenate([[m], mean, variance])
    table = ranks.table(own)
    counts, (means, variances) = table[:, :1], np.split(table[:, 1:], 2, axis=1)
    total = int(counts.sum())
    if total:
        middle = (counts * means).sum(axis=0) / total
        np.copyto(mean, middle, casting="same_kind")
        np.copyto(variance, (counts * (variances + (means - middle) ** 2)).sum(axis=0) / total, casting="same_kind")
    return total
