"""The update rules in one pass over memory. What a slot forgets is set to zero on the way.

A long vector is cut into shares, a thread each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import prange

from backprop_cli.engine.kernels.compiled import LONG, SHARES, compiled, parallel

Array = npt.NDArray[Any]

__all__ = ["adam_update", "moments_update", "momentum_update", "rmsprop_update", "sgd_update"]

NOTHING = 1e-28  # as in optimizers/base.py


@compiled
def sgd_update(w: Array, g: Array, rate: float, work: Array) -> None:
    rate_ = w.dtype.type(rate)
    for i in range(w.size):
        w[i] -= rate_ * g[i]


@compiled
def momentum_update(w: Array, g: Array, v: Array, rate: float, momentum: float, nesterov: bool, work: Array) -> None:
    real = w.dtype.type
    rate_, mu, nothing, zero = real(rate), real(momentum), real(NOTHING), real(0)
    for i in range(w.size):
        new = mu * v[i] + g[i]
        new = zero if abs(new) < nothing else new
        v[i] = new
        w[i] -= rate_ * (g[i] + mu * new) if nesterov else rate_ * new


@compiled
def rmsprop_update(w: Array, g: Array, s: Array, rate: float, rho: float, epsilon: float, a: Array, b: Array) -> None:
    real = w.dtype.type
    rate_, keep, take, eps = real(rate), real(rho), real(1 - rho), real(epsilon)
    nothing, zero = real(NOTHING), real(0)
    for i in range(w.size):
        new = keep * s[i] + take * (g[i] * g[i])
        new = zero if new < nothing else new
        s[i] = new
        w[i] -= rate_ * g[i] / (np.sqrt(new) + eps)


@compiled
def moments_update(g: Array, m: Array, v: Array, beta_1: float, beta_2: float, work: Array) -> None:
    real = g.dtype.type
    keep_1, keep_2, nothing, zero = real(beta_1), real(beta_2), real(NOTHING), real(0)
    for i in range(g.size):
        first = keep_1 * m[i] + g[i]
        second = keep_2 * v[i] + g[i] * g[i]
        m[i] = zero if abs(first) < nothing else first
        v[i] = zero if second < nothing else second


@compiled
def _adam(w: Array, g: Array, m: Array, v: Array, rate: float, beta_1: float, beta_2: float, epsilon: float) -> None:
    real = w.dtype.type
    rate_, eps = real(rate), real(epsilon)
    keep_1, keep_2, nothing, zero = real(beta_1), real(beta_2), real(NOTHING), real(0)
    for i in range(w.size):
        first = keep_1 * m[i] + g[i]
        second = keep_2 * v[i] + g[i] * g[i]
        first = zero if abs(first) < nothing else first
        second = zero if second < nothing else second
        m[i], v[i] = first, second
        w[i] -= rate_ * first / (np.sqrt(second) + eps)


@parallel
def _adam_shares(
    w: Array, g: Array, m: Array, v: Array, rate: float, beta_1: float, beta_2: float, epsilon: float
) -> None:
    size = -(-w.size // SHARES)
    for share in prange(SHARES):
        part = slice(share * size, (share + 1) * size)
        _adam(w[part], g[part], m[part], v[part], rate, beta_1, beta_2, epsilon)


def adam_update(
    w: Array,
    g: Array,
    m: Array,
    v: Array,
    rate: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    a: Array,
    b: Array,
) -> None:
    (_adam if w.size < LONG else _adam_shares)(w, g, m, v, rate, beta_1, beta_2, epsilon)
