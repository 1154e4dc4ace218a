"""`bp sweep`: what is varied, that trials are found again, that one failure stops nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_cli.errors import UsageError
from backprop_cli.sweep import trials


def test_a_grid_is_the_product_of_its_axes() -> None:
    made = trials(["a=1,2", "seed=0..2", "b=x"])
    assert [each.varied for each in made] == [{"a": a, "seed": s} for a in "12" for s in "012"]
    assert all("b=x" in each.overrides for each in made)
    assert len({each.id for each in made}) == 6


def test_commas_inside_brackets_do_not_split() -> None:
    assert [t.varied["m"] for t in trials(["m=[1,2],[3,4]"])] == ["[1,2]", "[3,4]"]
    assert [t.varied["t"] for t in trials(["t={type: adam, beta_1: 0.9},sgd"])] == ["{type: adam, beta_1: 0.9}", "sgd"]


def test_a_random_search_is_seeded_and_stays_within_bounds() -> None:
    first, again, other = (trials(["lr=log:1e-4..1e-1", "n=1,2"], 20, seed) for seed in (0, 0, 1))
    assert first == again
    assert first != other
    assert all(1e-4 <= float(each.varied["lr"]) <= 1e-1 for each in first)


@pytest.mark.parametrize(
    "settings", [["a=1"], ["a=log:0.1..0.2"], ["a=log:-1..1"], ["a=5..2"], ["a=0..999999"], ["a=uniform:x..2"]]
)
def test_what_cannot_be_swept_is_refused(settings: list[str]) -> None:
    with pytest.raises(UsageError):
        trials(settings)


def test_a_sweep_as_a_process(bp, tmp_path: Path) -> None:
    grid = ["sweep", "configs/moons.yaml", "--set", "trainer.epochs=1", "--set", "optimizer.learning_rate=0.1,0.01,nan"]
    refused = bp(*grid)
    assert refused.code == 2
    assert "learning_rate" in refused.err
    grid[-1] = "optimizer.learning_rate=0.1,0.01"
    first = bp(*grid, "--jobs", "2", "--json")
    assert first.code == 0, first.err
    assert [trial["status"] for trial in first.json["trials"]] == ["completed"] * 2
    assert first.json["best"]["varied"]["optimizer.learning_rate"] == "0.1"
    assert bp(*grid).code == 2
    again = bp(*grid, "--resume", "--json")
    assert again.code == 0, again.err
    assert sorted(t["run_dir"] for t in again.json["trials"]) == sorted(t["run_dir"] for t in first.json["trials"])
    listed = bp("runs", "ls", "--runs", "runs/moons-sweep", "--json").json
    assert len(listed) == 2
