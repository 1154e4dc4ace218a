"""Whether two means differ by more than chance."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

POINTS = 4001  # of the integral: its error is below 3e-7 up to 10,000 degrees of freedom


@dataclass(frozen=True)
class Mean:
    """A mean of n values, their standard deviation (n − 1), and the standard error of the mean; None of one value."""

    n: int
    mean: float
    std: float | None
    error: float | None

    @classmethod
    def of(cls, values: Sequence[float], folds: bool = False) -> Mean:
        """std/√n. Values of `folds` come from trainings that share most of their rows, so they agree more than they
        should: std·√(1/n + 1/(n−1)) instead, with a test set of 1/(n−1) of the rows learnt from (Nadeau & Bengio 2003,
        doi:10.1023/A:1024068626366)."""
        n, mean = len(values), statistics.fmean(values)
        if n < 2:
            return cls(n, mean, None, None)
        std = statistics.stdev(values)
        return cls(n, mean, std, std * math.sqrt(1 / n + (1 / (n - 1) if folds else 0)))


def welch(a: Mean, b: Mean) -> float | None:
    """The p-value, two-sided, of the difference of two means with variances of their own; None where one of them is of
    a single value.

    t = (ā − b̄)/√(eₐ² + e_b²) has Student's distribution with ν = (eₐ² + e_b²)²/(eₐ⁴/(nₐ−1) + e_b⁴/(n_b−1)) degrees of
    freedom (Welch 1947, doi:10.1093/biomet/34.1-2.28).
    """
    if a.error is None or b.error is None:
        return None
    variance = a.error**2 + b.error**2
    difference = abs(a.mean - b.mean)
    if difference == 0 or variance == 0:
        return 1.0 if difference == 0 else 0.0
    shares = (a.error**2 / variance, b.error**2 / variance)
    return beyond(difference / math.sqrt(variance), 1 / (shares[0] ** 2 / (a.n - 1) + shares[1] ** 2 / (b.n - 1)))


def beyond(t: float, freedom: float) -> float:
    """P(|T| > t) of Student's distribution: with T = √ν cot u it is 2Γ((ν+1)/2)/(√π Γ(ν/2)) ∫₀^φ sin^(ν−1) u du, φ the
    angle of t; u = φv² keeps the integrand smooth at 0."""
    v = np.linspace(0, 1, POINTS)
    angle = math.atan2(math.sqrt(freedom), t)
    integrand = np.sin(angle * v**2) ** (freedom - 1) * 2 * angle * v
    simpson = np.full(POINTS, 2.0)
    simpson[1::2], simpson[0], simpson[-1] = 4, 1, 1
    scale = 2 / math.sqrt(math.pi) * math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2))
    return min(1.0, scale * float(simpson @ integrand) / (3 * (POINTS - 1)))
