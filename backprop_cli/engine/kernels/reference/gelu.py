"""The gelu, and the standard normal distribution function, without SciPy."""

from __future__ import annotations

import math

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["gelu", "gelu_gradient"]


# Hart et al. 1968, Computer Approximations, no. 5666, as given by West 2005, Wilmott Magazine May: 70
NUMERATOR = (
    0.0352624965998911,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
DENOMINATOR = (
    0.0883883476483184,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)
FAR = 40.0  # e^(−40²/2) is 0 in float64
CUBIC, ROOT = 0.044715, math.sqrt(2 / math.pi)


def gelu(x: Array, share: Array, y: Array, by_tanh: bool, part: Array, other: Array, bell: Array) -> None:
    """share = Φ(x), or (1 + tanh u)/2 with u = √(2/π) (x + 0.044715 x³) if by_tanh; y = x share.

    part, other and bell, like x, are scratch memory.
    """
    if by_tanh:
        np.multiply(x, x, out=share)
        np.multiply(share, CUBIC, out=share)
        np.add(share, 1, out=share)
        np.multiply(share, x, out=share)
        np.multiply(share, ROOT, out=share)
        np.tanh(share, out=share)
        np.multiply(share, 0.5, out=share)
        np.add(share, 0.5, out=share)
    else:
        normal_cdf(x, share, part, other, bell)
    np.multiply(x, share, out=y)


def gelu_gradient(x: Array, share: Array, dy: Array, dx: Array, by_tanh: bool, part: Array, other: Array) -> None:
    """dx = dy (share + x φ(x)), or dy (share + x u' 2 share (1 − share)); part and other are scratch memory."""
    np.multiply(x, x, out=part)
    if by_tanh:  # (1 − tanh²)/2 = 2 s (1 − s), s the share
        np.multiply(part, 3 * CUBIC, out=part)
        np.add(part, 1, out=part)
        np.multiply(part, 2 * ROOT, out=part)
        np.subtract(1, share, out=other)
        np.multiply(other, share, out=other)
        np.multiply(part, other, out=part)
    else:
        np.multiply(part, -0.5, out=part)
        np.exp(part, out=part)
        np.multiply(part, 1 / math.sqrt(2 * math.pi), out=part)
    np.multiply(part, x, out=part)
    np.add(part, share, out=part)
    np.multiply(dy, part, out=dx)


def normal_cdf(x: Array, out: Array, size: Array, below: Array, bell: Array) -> None:
    """Write Φ(x) = (1 + erf(x/√2))/2, within 2e-16 in float64; size, below and bell are overwritten.

    Φ(−|x|) = e^(−x²/2) P(|x|)/Q(|x|) with polynomials P and Q, and Φ(|x|) is one minus that.
    """
    np.abs(x, out=size)
    np.minimum(size, FAR, out=size)
    _polynomial(NUMERATOR, size, out)
    _polynomial(DENOMINATOR, size, below)
    np.divide(out, below, out=out)
    np.multiply(size, size, out=bell)
    np.multiply(bell, -0.5, out=bell)
    np.exp(bell, out=bell)
    np.multiply(out, bell, out=out)
    np.greater(x, 0, out=below)
    np.subtract(below, out, out=out)
    np.abs(out, out=out)


def _polynomial(coefficients: tuple[float, ...], x: Array, out: Array) -> None:
    """Horner's rule, highest power first."""
    np.multiply(x, coefficients[0], out=out)
    for coefficient in coefficients[1:-1]:
        np.add(out, coefficient, out=out)
        np.multiply(out, x, out=out)
    np.add(out, coefficients[-1], out=out)
