"""`bp plan`: what is measured here, what is computed, and what comes of both."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from backprop_cli.commands.plan import all_reduce, plan_config, worth
from tests.conftest import ROOT, Finished

Bp = Callable[..., Finished]
GBIT10 = 1.25e9


def test_a_long_vector_is_summed_by_rabenseifners_algorithm_and_a_short_one_by_doubling() -> None:
    assert all_reduce(1e9, 1, GBIT10, 20e-6, 0.1) == 0
    assert all_reduce(1e9, 2, GBIT10, 20e-6, 0.1) == pytest.approx(2 * 20e-6 + 0.8 + 0.05)
    assert all_reduce(1e9, 8, GBIT10, 20e-6, 0.1) == pytest.approx(2 * 3 * 20e-6 + 7 / 8 * (2 * 0.8 + 0.1))
    assert all_reduce(8, 8, GBIT10, 20e-6, 0) == pytest.approx(3 * 20e-6, rel=1e-3)
    assert all_reduce(8, 5, GBIT10, 20e-6, 0) == all_reduce(8, 8, GBIT10, 20e-6, 0)


def test_more_ranks_stop_paying_where_the_next_ones_save_too_little() -> None:
    def steps(*microseconds: float) -> list[dict[str, float]]:
        return [{"ranks": 2**i, "step_us": each} for i, each in enumerate(microseconds)]

    assert worth(steps(100, 60, 50, 48)) == 4
    assert worth(steps(100, 95, 40)) == 1
    assert worth(steps(100, 60, 40, 30)) == 8


def test_a_plan_adds_up(bp: Bp) -> None:
    found = plan_config(ROOT / "configs/moons.yaml", [], nodes=6, bandwidth=GBIT10, latency=20e-6)
    assert [each["ranks"] for each in found["ranks"]] == [1, 2, 4, 6]
    assert [each["rows"] for each in found["ranks"]] == [-(-found["batch_size"] // n) for n in (1, 2, 4, 6)]
    first = found["ranks"][0]
    assert (first["communication_us"], first["speedup"], first["efficiency"]) == (0, 1, 1)
    for each in found["ranks"]:
        assert each["compute_us"] > 0
        assert each["step_us"] == pytest.approx(each["compute_us"] + each["communication_us"])
        assert each["speedup"] == pytest.approx(first["step_us"] / each["step_us"])
        assert each["efficiency"] == pytest.approx(each["speedup"] / each["ranks"])
    assert found["worth"] == 1  # a network of a few hundred numbers


def test_a_slow_link_costs_more(bp: Bp) -> None:
    small = ["dataset.samples=200"]
    for bandwidth, latency in [(GBIT10, 20e-6), (GBIT10 / 100, 20e-6)]:
        found = plan_config(ROOT / "configs/moons.yaml", small, nodes=2, bandwidth=bandwidth, latency=latency)
        talk = found["ranks"][1]["communication_us"]
        assert talk >= 1e6 * all_reduce(found["bytes"], 2, bandwidth, latency, 0)


def test_what_is_no_rate_or_time_is_told_in_a_line(bp: Bp) -> None:
    for option, given in [("--bandwidth", "10"), ("--bandwidth", "fast"), ("--latency", "0us"), ("--latency", "3days")]:
        done = bp("plan", "configs/moons.yaml", option, given)
        assert done.code == 2
        assert done.err.startswith(f"bp: {option}: expected a number above 0 and one of")
        assert done.err.count("\n") == 1


def test_no_more_ranks_than_rows_are_planned(bp: Bp) -> None:
    done = bp("plan", "configs/xor.yaml", "--nodes", "64", "--bandwidth", "1.2GB/s", "--latency", "0.1ms")
    assert done.code == 0
    assert "a batch of 4 rows has work for 4 ranks at most" in done.out
