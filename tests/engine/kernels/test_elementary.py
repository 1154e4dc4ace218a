"""How far e^x, tanh, the logistic function and the normal distribution of the compiled kernels are from the truth.

Through kernels that are little else. Truth is NumPy in long double, or float64 where it is asked about float32.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine.kernels import load

Array = Any
K = load("compiled")
WIDE = {"float32": np.float64, "float64": np.longdouble}
LOWEST = {"float32": -87.0, "float64": -707.0}


def ulps(found: Array, true: Array) -> float:
    """The largest error, in units in the last place of the true value."""
    return float(np.max(np.abs(found - true) / np.spacing(np.abs(true).astype(found.dtype))))


def tanh(x: Array) -> Array:
    candidate, zero = x.reshape(1, -1).copy(), np.zeros((1, x.size), x.dtype)
    K.gru_mix(zero, candidate, zero, zero.copy())
    return candidate[0]


def sigmoid(x: Array) -> Array:
    gates, zx = np.empty((2, 1, x.size), x.dtype), np.tile(x, 3).reshape(1, -1)
    K.gru_gates(zx, np.zeros_like(zx), gates)
    return gates[0, 0]


def exp(x: Array) -> Array:
    """p₁ / p₂ of softmax over (x, 0), for x ≤ 0: e^x but for the rounding of two products."""
    p = np.empty((x.size, 2), x.dtype)
    K.softmax(np.stack([x, np.zeros_like(x)], axis=1), p, np.empty((x.size, 1), x.dtype))
    return p[:, 0] / p[:, 1]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_exp_is_within_a_few_units(dtype: str) -> None:
    x = np.linspace(LOWEST[dtype], 0, 200_001).astype(dtype)
    assert ulps(exp(x), np.exp(x.astype(WIDE[dtype]))) < 5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_tanh_is_within_six_units(dtype: str) -> None:
    x = np.concatenate([np.linspace(-20, 20, 200_001), np.logspace(-6, 0, 10_001)]).astype(dtype)
    x = x[x != 0]
    assert ulps(tanh(x), np.tanh(x.astype(WIDE[dtype]))) < 6


@pytest.mark.parametrize(("dtype", "bound"), [("float32", 2e-7), ("float64", 4e-16)])
def test_sigmoid_is_within_an_absolute_bound(dtype: str, bound: float) -> None:
    x = np.linspace(-40, 40, 200_001).astype(dtype)
    assert np.max(np.abs(sigmoid(x) - 1 / (1 + np.exp(-x.astype(WIDE[dtype]))))) < bound


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_ends(dtype: str) -> None:
    x = np.array([-np.inf, -1e30, 1e30, np.inf, 0.0], dtype)
    assert tanh(x).tolist() == [-1, -1, 1, 1, 0]
    np.testing.assert_allclose(sigmoid(x), [0, 0, 1, 1, 0.5], atol=1e-7)
    assert exp(x[:2]).tolist() == [0, 0]
    assert np.isnan(tanh(np.array([np.nan], dtype))).all()
    assert np.isnan(sigmoid(np.array([np.nan], dtype))).all()


@settings(deadline=None)
@given(st.lists(st.floats(-110, 0, width=32), min_size=1, max_size=40))
def test_exp_of_any_number(values: list[float]) -> None:
    x = np.array(values, np.float32)
    np.testing.assert_allclose(exp(x), np.exp(x.astype(np.float64)), rtol=1e-6, atol=2e-38)
