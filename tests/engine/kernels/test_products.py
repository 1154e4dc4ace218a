"""Products so large that operands are prepared for all shares at once: gathered rows, packed weights of a walk."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from backprop_cli.engine import kernels
from backprop_cli.engine.kernels.compiled import set_threads


@pytest.fixture(scope="module")
def compiled() -> SimpleNamespace:
    return kernels.load("compiled")


@pytest.mark.large
@pytest.mark.parametrize("share", [1.0, 0.2], ids=["dense", "mostly zeros"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("terms", "rows", "columns"),
    [(1100, 130, 300), (2000, 131, 260), (600, 700, 901), (3, 1025, 1100), (513, 7, 2000)],
    ids=["one part", "parts of terms", "parts of rows", "few terms", "few rows"],
)
def test_a_transposed_operand_gives_the_same_bits(
    compiled: SimpleNamespace, terms: int, rows: int, columns: int, dtype: str, share: float
) -> None:
    """Its terms are gathered, those of a copy that lies row after row are not."""
    rng = np.random.default_rng(terms)
    a = (rng.standard_normal((terms, rows)) * (rng.random((terms, 1)) < share)).astype(dtype)
    b = rng.standard_normal((terms, columns)).astype(dtype)
    products = [np.full((rows, columns), np.nan, dtype) for _ in range(4)]
    compiled.matmul(np.ascontiguousarray(a.T), b, products[0])
    for out, threads in zip(products[1:3], (1, 3), strict=True):
        before = set_threads(threads)
        try:
            compiled.matmul(a.T, b, out)
        finally:
            set_threads(before)
        assert out.tobytes() == products[0].tobytes()
    np.testing.assert_allclose(products[0], a.T.astype("f8") @ b, rtol=1e-3 if dtype == "float32" else 1e-9, atol=1e-3)
    products[3][...] = 1
    compiled.add_matmul(a.T, b, products[3], np.empty_like(products[3]))
    np.testing.assert_allclose(products[3], products[0] + 1, rtol=1e-5, atol=1e-4)


@pytest.mark.large
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_of_a_walk_are_packed_in_shares(dtype: str) -> None:
    """More than one share of them, forward and back, and back more terms than are summed at once."""
    rng = np.random.default_rng(3)
    steps, n, units = 3, 9, 133

    def normal(*shape: int) -> np.ndarray:
        return (0.3 * rng.standard_normal(shape)).astype(dtype)

    z, U = normal(steps, n, 4 * units), normal(units, 4 * units)
    h, c = (normal(steps + 1, n, units) for _ in range(2))
    tanh_c, dys = (normal(steps, n, units) for _ in range(2))
    dh, dc = (normal(n, units) for _ in range(2))
    left = []
    for which in ("numpy", "compiled"):
        K = kernels.load(which)
        arrays = [array.copy() for array in (z, h, c, tanh_c, dh, dc)]
        gates, states, cells, squashed, carry, cell_carry = arrays
        K.lstm_walk(gates, U, np.empty((n, 4 * units), dtype), states, cells, squashed, False)
        scratch = (np.empty((4, n, units), dtype) for _ in range(2))
        K.lstm_walk_back(dys, carry, cell_carry, gates, cells, squashed, U.T, *scratch, False)
        left.append(arrays)
    for reference, in_c in zip(*left, strict=True):
        np.testing.assert_allclose(in_c, reference, rtol=1e-4 if dtype == "float32" else 1e-12, atol=1e-5)
