from __future__ import annotations

from typing import Annotated

import numpy as np
from annotated_types import Interval

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.layer import NonNegative
from backprop_cli.engine.losses.base import loss, mean, weigh
from backprop_cli.engine.losses.binary import Binary, clip, sigmoid
from backprop_cli.registry import Doc


@loss("binary_focal_crossentropy", "binary_focal", "sigmoid_focal_loss")
class BinaryFocalCrossentropy(Binary):
    """Cross-entropy of yes/no outputs in which the easy ones count less.

    L = −1/(N K) Σ α t (1 − y)^γ log y + (1 − α) (1 − t) y^γ log(1 − y)          t in [0, 1]   y, t (N, K)
    dy from dL/dz = y (1 − y) dL/dy, which stays finite; after a final sigmoid, or with `from_logits`,
    the two are fused and log y comes from z. `alpha: null` leaves both factors out.
    Lin et al. 2017, arXiv:1708.02002
    """

    gamma: Annotated[NonNegative, Doc("how much less easy examples count; 0 is plain cross-entropy")] = 2.0
    alpha: Annotated[
        Annotated[float, Interval(ge=0, le=1)] | None,
        Doc("weight of class 1 against 1 − alpha of class 0; null leaves both out"),
    ] = 0.25

    examples = [
        {"output": (1,), "target": "binary", "activation": "sigmoid"},
        {"options": {"gamma": 0.5, "alpha": None}, "output": (2, 3), "target": "binary", "activation": "sigmoid"},
        {
            "options": {"from_logits": True, "gamma": 0.0, "label_smoothing": 0.1, "class_weights": {"1": 2}},
            "output": (3,),
            "target": "binary",
        },
    ]

    def forward(self, z: Array, y: Array, target: Array, weight: Array | None) -> float:
        t = self._targets(target, y)
        p, log_p, q, log_q = self._logarithms(z, y)
        a, b = (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)
        terms, no = self.scratch("terms", y.shape, y.dtype), self.scratch("no", y.shape, y.dtype)
        np.power(q, self.gamma, out=terms)
        np.multiply(terms, log_p, out=terms)
        np.multiply(terms, -a, out=terms)
        np.power(p, self.gamma, out=no)
        np.multiply(no, log_q, out=no)
        np.multiply(no, -b, out=no)
        np.subtract(terms, no, out=terms)  # yes t + no (1 − t) = (yes − no) t + no
        np.multiply(terms, t, out=terms)
        np.add(terms, no, out=terms)
        self._weigh_classes(terms, target)
        return mean(terms, weight)

    def backward(self, z: Array, y: Array, target: Array, weight: Array | None, dz: Array) -> None:
        t = self._targets(target, y)
        p, log_p, q, log_q = self._logarithms(z, y)
        a, b = (1.0, 1.0) if self.alpha is None else (self.alpha, 1 - self.alpha)
        no = self.scratch("no", y.shape, y.dtype)
        self._slope(p, log_p, q, dz)
        np.multiply(dz, a, out=dz)
        self._slope(q, log_q, p, no)
        np.multiply(no, -b, out=no)
        np.subtract(dz, no, out=dz)
        np.multiply(dz, t, out=dz)
        np.add(dz, no, out=dz)
        if z is y and not self.from_logits:
            np.divide(dz, p, out=dz)
            np.divide(dz, q, out=dz)
        self._weigh_classes(dz, target)
        weigh(dz, weight, y.size)

    def _logarithms(self, z: Array, y: Array) -> tuple[Array, Array, Array, Array]:
        """p, log p, q = 1 − p and log q; with logits log p = min(z, 0) − log(1 + e^−|z|), log q = log p − z."""
        p, log_p, q, log_q = (self.scratch(name, y.shape, y.dtype) for name in ("p", "log p", "q", "log q"))
        if z is y and not self.from_logits:
            clip(y, p)
            np.subtract(1, p, out=q)
            np.log(p, out=log_p)
            np.log(q, out=log_q)
            return p, log_p, q, log_q
        np.abs(z, out=q)
        np.negative(q, out=q)
        np.exp(q, out=q)
        np.log1p(q, out=q)
        np.minimum(z, 0, out=log_p)
        np.subtract(log_p, q, out=log_p)
        np.subtract(log_p, z, out=log_q)
        sigmoid(z, p)
        np.subtract(1, p, out=q)
        return p, log_p, q, log_q

    def _slope(self, p: Array, log_p: Array, q: Array, out: Array) -> None:
        """p q d(−q^γ log p)/dp = q^γ (γ p log p − q)."""
        power = self.scratch("power", p.shape, p.dtype)
        np.power(q, self.gamma, out=power)
        np.multiply(p, log_p, out=out)
        np.multiply(out, self.gamma, out=out)
        np.subtract(out, q, out=out)
        np.multiply(out, power, out=out)
