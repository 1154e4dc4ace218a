"""The compiled update rules: the NumPy ones to rounding, and themselves to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine import kernels
from backprop_cli.engine.kernels.reference import optimizer as reference

Array = Any
#: name -> how many slots, and the numbers after them
CASES: dict[str, list[tuple[int, tuple[Any, ...], int]]] = {
    "sgd_update": [(0, (0.1,), 1)],
    "momentum_update": [(1, (0.1, 0.9, False), 1), (1, (0.1, 0.9, True), 1)],
    "rmsprop_update": [(1, (0.01, 0.9, 1e-8), 2)],
    "adam_update": [(2, (0.01, 0.9, 0.999, 1e-8), 2), (2, (0.01, 0.0, 0.5, 1e-3), 2)],
    "moments_update": [(2, (0.9, 0.999), 1)],
}


def run(name: str, which: str, n: int, dtype: str, case: tuple[int, tuple[Any, ...], int], seed: int) -> list[Array]:
    """Three updates from the same start; what w and the slots are then."""
    slots, numbers, work = case
    rng = np.random.default_rng(seed)
    w = rng.normal(size=n).astype(dtype)
    memory = [np.abs(rng.normal(size=n)).astype(dtype) for _ in range(slots)]
    kernel = getattr(kernels.load(which), name)
    for _ in range(3):
        g = (rng.normal(size=n) * np.exp(rng.normal(size=n))).astype(dtype)
        first = [g] if name == "moments_update" else [w, g]
        kernel(*first, *memory, *numbers, *(np.empty(n, dtype) for _ in range(work)))
    return [w, *memory]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-13), ("float32", 2e-5)])
@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 300), seed=st.integers(0, 100))
def test_both_versions_agree(name: str, dtype: str, tolerance: float, n: int, seed: int) -> None:
    for case in CASES[name]:
        ours, theirs = (run(name, which, n, dtype, case, seed) for which in ("numpy", "compiled"))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_allclose(b, a, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("which", ["numpy", "compiled"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_each_version_repeats_itself_to_the_bit(name: str, which: str) -> None:
    for case in CASES[name]:
        first, second = (run(name, which, 1003, "float32", case, 7) for _ in range(2))
        assert [a.tobytes() for a in first] == [b.tobytes() for b in second]


def test_every_rule_has_a_compiled_version_and_is_compared() -> None:
    assert set(reference.__all__) == set(CASES)
    for name in CASES:
        assert getattr(kernels.load("numpy"), name) is getattr(reference, name)
        assert getattr(kernels.load("compiled"), name) is not getattr(reference, name)
