"""Welch's test and the distribution behind it, beside scipy's."""

from __future__ import annotations

import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from backprop_cli.commands.sweep.welch import Mean, beyond, welch


@given(t=st.floats(0, 200), freedom=st.floats(1, 10_000))
def test_the_tails_of_students_distribution(t: float, freedom: float) -> None:
    assert beyond(t, freedom) == pytest.approx(2 * stats.t.sf(t, freedom), abs=5e-7)


@given(
    a=st.lists(st.floats(-100, 100), min_size=2, max_size=12), b=st.lists(st.floats(-1, 100), min_size=2, max_size=12)
)
def test_welchs_test_is_scipys(a: list[float], b: list[float]) -> None:
    if np.ptp(a) < 1e-6 or np.ptp(b) < 1e-6:
        return
    assert welch(Mean.of(a), Mean.of(b)) == pytest.approx(stats.ttest_ind(a, b, equal_var=False).pvalue, abs=5e-7)


def test_means_without_a_spread() -> None:
    same, other, single = Mean.of([0.5, 0.5]), Mean.of([1.0, 1.0]), Mean.of([0.5])
    assert (welch(same, same), welch(same, other), welch(same, single)) == (1.0, 0.0, None)


def test_folds_make_a_mean_less_certain_than_as_many_seeds() -> None:
    values = [0.8, 0.9, 0.7, 0.85, 0.75]
    seeds, folds = Mean.of(values), Mean.of(values, folds=True)
    assert seeds.std == folds.std == statistics.stdev(values)
    assert seeds.error == pytest.approx(seeds.std * (1 / 5) ** 0.5)
    assert folds.error == pytest.approx(seeds.std * (1 / 5 + 1 / 4) ** 0.5)
