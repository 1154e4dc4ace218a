"""The normal distribution function holds against the C library's erfc."""

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.engine.kernels import load


def cdf(x: np.ndarray, kernels: str = "numpy") -> np.ndarray:
    out, y, *rest = (np.full_like(x, np.nan) for _ in range(5))
    load(kernels).gelu(x, out, y, False, *rest)
    return out


def test_a_grid_is_within_two_ulp_of_one() -> None:
    x = np.concatenate([np.linspace(-45, 45, 20001), [-1e4, 1e4, 0.0, -0.0, 1e-300]])
    exact = np.array([math.erfc(-each / math.sqrt(2)) / 2 for each in x])
    np.testing.assert_allclose(cdf(x), exact, rtol=0, atol=4.5e-16)
    np.testing.assert_allclose(cdf(x.astype(np.float32)), exact, rtol=0, atol=1e-6)


@given(st.floats(-1e300, 1e300))
def test_any_number_gives_a_probability(x: float) -> None:
    value = float(cdf(np.array([x]))[0])
    assert 0 <= value <= 1
    assert abs(value - math.erfc(-x / math.sqrt(2)) / 2) < 4.5e-16
