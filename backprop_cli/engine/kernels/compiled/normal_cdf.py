"""The standard normal distribution function, number by number."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from backprop_cli.engine.kernels.compiled import compiled
from backprop_cli.engine.kernels.compiled.exponential import exp
from backprop_cli.engine.kernels.reference.normal_cdf import DENOMINATOR, FAR, NUMERATOR

__all__ = ["normal_cdf"]

Array = npt.NDArray[Any]
P6, P5, P4, P3, P2, P1, P0 = NUMERATOR
Q7, Q6, Q5, Q4, Q3, Q2, Q1, Q0 = DENOMINATOR


@compiled
def normal_cdf(x: Array, out: Array, size: Array, below: Array, bell: Array) -> None:
    real = x.dtype.type
    p6, p5, p4, p3, p2, p1, p0 = real(P6), real(P5), real(P4), real(P3), real(P2), real(P1), real(P0)
    q7, q6, q5, q4 = real(Q7), real(Q6), real(Q5), real(Q4)
    q3, q2, q1, q0 = real(Q3), real(Q2), real(Q1), real(Q0)
    far, half, one, zero = real(FAR), real(0.5), real(1), real(0)
    flat, values = x.reshape(-1), out.reshape(-1)
    for k in range(flat.size):
        z = abs(flat[k])
        z = far if z > far else z  # NaN stays
        p = p6 * z + p5
        p = p * z + p4
        p = p * z + p3
        p = p * z + p2
        p = p * z + p1
        p = p * z + p0
        q = q7 * z + q6
        q = q * z + q5
        q = q * z + q4
        q = q * z + q3
        q = q * z + q2
        q = q * z + q1
        q = q * z + q0
        tail = p / q * exp(-half * z * z)
        values[k] = one - tail if flat[k] > zero else tail
