"""Attention of several heads and its gradient.

q, o and their gradients are (N, heads, T, d), k and v (N, heads, S, d), p (N, heads, T, S).
"""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["attention", "attention_gradient"]


def attention(
    q: Array,
    k: Array,
    v: Array,
    p: Array,
    o: Array,
    future: Array | None,
    penalty: Array | None,
    noise: Array | None,
    dropped: Array,
    row: Array,
) -> None:
    """p = softmax(q kᵀ + future + penalty) over S, o = (p ⊙ noise) v.

    future (T, S), penalty (N, S) and noise, like p, may be left out. dropped, like p, and row (N, heads, T, 1) are
    scratch memory.
    """
    np.matmul(q, k.swapaxes(2, 3), out=p)
    if future is not None:
        np.add(p, future, out=p)
    if penalty is not None:
        np.add(p, penalty[:, None, None, :], out=p)
    np.max(p, axis=-1, keepdims=True, out=row)
    np.subtract(p, row, out=p)
    np.exp(p, out=p)
    np.sum(p, axis=-1, keepdims=True, out=row)
    np.divide(p, row, out=p)
    if noise is not None:
        np.multiply(p, noise, out=dropped)
    np.matmul(p if noise is None else dropped, v, out=o)


def attention_gradient(
    q: Array,
    k: Array,
    v: Array,
    p: Array,
    do: Array,
    dq: Array,
    dk: Array,
    dv: Array,
    noise: Array | None,
    dp: Array,
    row: Array,
    scale: float,
) -> None:
    """dv = (p ⊙ noise)ᵀ do,  dp = do vᵀ ⊙ noise,  ds = p ⊙ (dp − Σ_S dp ⊙ p),  dq = scale ds k,  dk = dsᵀ q.

    dp, like p, and row (N, heads, T, 1) are scratch memory.
    """
    if noise is not None:
        np.multiply(p, noise, out=dp)
    np.matmul((p if noise is None else dp).swapaxes(2, 3), do, out=dv)
    np.matmul(do, v.swapaxes(2, 3), out=dp)
    if noise is not None:
        np.multiply(dp, noise, out=dp)
    np.einsum("nhts,nhts->nht", dp, p, out=row[..., 0])
    np.subtract(dp, row, out=dp)
    np.multiply(dp, p, out=dp)
    np.matmul(dp, k, out=dq)
    np.multiply(dq, scale, out=dq)
    np.matmul(dp.swapaxes(2, 3), q, out=dk)
