"""e^x and tanh x in a form that the compiler can vectorize; the C library's are called number by number.

float32 only; float64 takes the library's. e^x is Cephes' polynomial after e^x = 2ⁿ e^r (Moshier 1992, expf.c),
tanh the quotient of polynomials that Eigen uses (ptanh_float); both are right within a few units in the last place.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic, overload

__all__: list[str] = []

f = np.float32
OPTIONS: Any = {"fastmath": {"contract", "nsz"}, "error_model": "numpy"}


@intrinsic
def _power_of_two(typing: Any, n: Any) -> Any:
    """2ⁿ as float32 for −126 ≤ n ≤ 127: n written into the exponent."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        word = ir.IntType(32)
        biased = builder.add(arguments[0], ir.Constant(word, 127))
        return builder.bitcast(builder.shl(biased, ir.Constant(word, 23)), ir.FloatType())

    return types.float32(types.int32), generate


def exp(x: Any) -> Any:
    """e^x, for compiled code."""
    raise NotImplementedError  # Numba puts the overload below in its place


@overload(exp, jit_options=OPTIONS)
def _exp(x: Any) -> Any:
    if x != types.float32:

        def library(x: Any) -> Any:
            return np.exp(x)

        return library
    low, high, log2_e = f(-87.3), f(88.0), f(1.44269504)
    ln2_high, ln2_low = f(0.693359375), f(-2.12194440e-4)
    c5, c4, c3 = f(1.9875691500e-4), f(1.3981999507e-3), f(8.3334519073e-3)
    c2, c1, c0 = f(4.1665795894e-2), f(1.6666665459e-1), f(5.0000001201e-1)
    zero, one, infinity = f(0), f(1), f(np.inf)

    def vectorizable(x: Any) -> Any:
        inside = low if x < low else x  # NaN stays: it compares false
        inside = high if inside > high else inside
        n = np.rint(inside * log2_e)
        r = inside - n * ln2_high
        r = r - n * ln2_low
        p = c5
        p = p * r + c4
        p = p * r + c3
        p = p * r + c2
        p = p * r + c1
        p = p * r + c0
        p = p * (r * r) + r + one
        y = p * _power_of_two(types.int32(n))  # type: ignore[call-arg]  # Numba fills in `typing`
        y = zero if x < low else y
        return infinity if x > high else y

    return vectorizable


def tanh(x: Any) -> Any:
    """The hyperbolic tangent, for compiled code."""
    raise NotImplementedError  # Numba puts the overload below in its place


@overload(tanh, jit_options=OPTIONS)
def _tanh(x: Any) -> Any:
    if x != types.float32:

        def library(x: Any) -> Any:
            return np.tanh(x)

        return library
    end = f(7.90531110763549805)  # from here on it rounds to 1
    a1, a3, a5 = f(4.89352455891786e-03), f(6.37261928875436e-04), f(1.48572235717979e-05)
    a7, a9, a11, a13 = (
        f(5.12229709037114e-08),
        f(-8.60467152213735e-11),
        f(2.00018790482477e-13),
        f(-2.76076847742355e-16),
    )
    b0, b2, b4, b6 = f(4.89352518554385e-03), f(2.26843463243900e-03), f(1.18534705686654e-04), f(1.19825839466702e-06)

    def vectorizable(x: Any) -> Any:
        inside = -end if x < -end else x  # NaN stays: it compares false
        inside = end if inside > end else inside
        square = inside * inside
        above = a13 * square + a11
        above = above * square + a9
        above = above * square + a7
        above = above * square + a5
        above = above * square + a3
        above = above * square + a1
        below = b6 * square + b4
        below = below * square + b2
        below = below * square + b0
        return inside * above / below

    return vectorizable


def sigmoid(x: Any) -> Any:
    """1 / (1 + e^−x) as (1 + tanh(x/2)) / 2, for compiled code."""
    raise NotImplementedError  # Numba puts the overload below in its place


@overload(sigmoid, jit_options=OPTIONS)
def _sigmoid(x: Any) -> Any:
    real = f if x == types.float32 else np.float64
    half = real(0.5)

    def halves(x: Any) -> Any:
        return half * tanh(half * x) + half

    return halves
