"""The softmax of attention scores and its gradient, in place."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["attention_softmax", "attention_softmax_backward", "row_dots"]


def attention_softmax(scores: Array, row: Array) -> None:
    """scores (N, heads, T, S) become probabilities over S; row (N, heads, T, 1) is scratch."""
    np.max(scores, axis=-1, keepdims=True, out=row)
    np.subtract(scores, row, out=scores)
    np.exp(scores, out=scores)
    np.sum(scores, axis=-1, keepdims=True, out=row)
    np.divide(scores, row, out=scores)


def attention_softmax_backward(p: Array, dp: Array, dot: Array) -> None:
    """dp becomes dL/dscores = p ⊙ (dp − dot), where dot (N, heads, T, 1) = Σ_S dp ⊙ p."""
    np.subtract(dp, dot, out=dp)
    np.multiply(dp, p, out=dp)


def row_dots(a: Array, b: Array, out: Array) -> None:
    """out = Σ_d a b;  a, b (N, heads, T, d), out (N, heads, T, 1)."""
    np.einsum("nhtd,nhtd->nht", a, b, out=out[..., 0])
