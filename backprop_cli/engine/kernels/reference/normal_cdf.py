"""The standard normal distribution function, without SciPy."""

from __future__ import annotations

import numpy as np

from backprop_cli.engine.arrays import Array

__all__ = ["normal_cdf"]


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
