"""Generators by name: the bits that every earlier run was made with, and none twice."""

from __future__ import annotations

from zlib import crc32

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.seeds import generator

parts = st.lists(st.one_of(st.sampled_from(["init", "shuffle", "deal"]), st.integers(0, 10**6)), max_size=3)


@given(seed=st.integers(0, 2**40), epoch=st.integers(0, 1000))
def test_a_name_is_its_checksum_beside_the_seed(seed: int, epoch: int) -> None:
    key = np.random.SeedSequence([seed, crc32(b"shuffle"), epoch])
    expected = np.random.Generator(np.random.PCG64(key)).integers(0, 2**60, 4)
    np.testing.assert_array_equal(generator(seed, "shuffle", epoch).integers(0, 2**60, 4), expected)


@given(seed=st.integers(0, 2**40), one=parts, other=parts)
def test_two_keys_are_two_streams(seed: int, one: list[str | int], other: list[str | int]) -> None:
    a, b = (generator(seed, "key", *key, "end").integers(0, 2**60, 4) for key in (one, other))
    assert np.array_equal(a, b) == (one == other)
