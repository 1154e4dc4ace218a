"""The update rules that have a compiled version. Blocks w, g and slots are flat; `work` is temporary memory."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["adam_update", "moments_update", "momentum_update", "rmsprop_update", "sgd_update"]


def sgd_update(w: Array, g: Array, rate: float, work: Array) -> None:
    """w ← w − rate g"""
    np.multiply(g, rate, out=work)
    np.subtract(w, work, out=w)


def momentum_update(w: Array, g: Array, v: Array, rate: float, momentum: float, nesterov: bool, work: Array) -> None:
    """v ← μ v + g        w ← w − rate v            (nesterov: w ← w − rate (g + μ v))"""
    np.multiply(v, momentum, out=v)
    np.add(v, g, out=v)
    if nesterov:
        np.multiply(v, momentum, out=work)
        np.add(g, work, out=work)
        np.multiply(work, rate, out=work)
    else:
        np.multiply(v, rate, out=work)
    np.subtract(w, work, out=w)


def rmsprop_update(w: Array, g: Array, s: Array, rate: float, rho: float, epsilon: float, a: Array, b: Array) -> None:
    """s ← ρ s + (1 − ρ) g²        w ← w − rate g / (√s + ε)"""
    np.multiply(g, g, out=a)
    np.multiply(a, 1 - rho, out=a)
    np.multiply(s, rho, out=s)
    np.add(s, a, out=s)
    np.sqrt(s, out=b)
    np.add(b, epsilon, out=b)
    np.divide(g, b, out=a)
    np.multiply(a, rate, out=a)
    np.subtract(w, a, out=w)


def moments_update(g: Array, m: Array, v: Array, beta_1: float, beta_2: float, work: Array) -> None:
    """m ← β₁ m + g        v ← β₂ v + g²

    Sums, not means: the factors 1 − β of the moments are left to the rate and ε, which saves two of twelve passes.
    """
    np.multiply(m, beta_1, out=m)
    np.add(m, g, out=m)
    np.multiply(g, g, out=work)
    np.multiply(v, beta_2, out=v)
    np.add(v, work, out=v)


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
    """The moments, then w ← w − rate m / (√v + ε); rate and ε carry the factors and corrections of m and v."""
    moments_update(g, m, v, beta_1, beta_2, a)
    np.sqrt(v, out=b)
    np.add(b, epsilon, out=b)
    np.divide(m, b, out=a)
    np.multiply(a, rate, out=a)
    np.subtract(w, a, out=w)
