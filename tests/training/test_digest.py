"""Two steps left the same if the digests of what they left are equal."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.engine.replay.snapshot import ROW, SMALL, digest

SIZES = [0, 1, 77, SMALL // 4, SMALL // 4 + 1, 5 * 2 * ROW, 20 * 2 * ROW + 3]


@pytest.mark.parametrize("size", SIZES)
@given(data=st.data())
def test_any_bit_counts(size: int, data: st.DataObject) -> None:
    rng = np.random.default_rng(data.draw(st.integers(0, 9)))
    one = rng.normal(size=size).astype(np.float32)
    other = one.copy()
    assert digest(one) == digest(other)
    if size:
        place = data.draw(st.integers(0, size - 1))
        other.view(np.uint32)[place] ^= np.uint32(1 << data.draw(st.integers(0, 31)))
        assert digest(one) != digest(other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.bool_, np.int64])
def test_places_count(dtype: type) -> None:
    """Numbers, rows or blocks that have changed places are found, also where an array is not contiguous."""
    one = (np.random.default_rng(0).random((300, 700)) * 100).astype(dtype)
    one[:2, :2] = [[0, 1], [1, 1]]
    for exchange in (np.s_[[1, 0]], np.s_[:, [1, 0]]):
        other = one.copy()
        other[np.s_[[0, 1]] if exchange == [1, 0] else np.s_[:, [0, 1]]] = one[exchange]
        assert digest(one) != digest(other)
        assert digest(one.T) != digest(other.T)
    assert digest(one[:, 3:]) == digest(one[:, 3:].copy())
    assert digest(one[::-1]) != digest(one)
