"""`bp sweep --folds`: every fold trained once, each row predicted by a network that has not seen it."""

from __future__ import annotations

import csv
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.sweep.folds import Measured, summary
from backprop_cli.commands.sweep.trials import plan
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory

CONFIG = """
name: t
dataset: {source: files, path: t.csv, target: y, transforms: [standardize]}
architecture: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 2, activation: softmax}]
loss: cross_entropy
trainer: {epochs: 2, metrics: [accuracy]}
"""


def test_a_plan_crosses_folds_with_what_else_varies() -> None:
    made = plan(["seed=0..1"], folds=3)
    assert [each.varied for each in made] == [{"seed": s, "dataset.fold": f} for s in "01" for f in "123"]
    assert all("dataset.folds=3" in each.fixed for each in made)
    assert len(plan([], folds=4)) == 4
    with pytest.raises(UsageError, match=r"leave --set dataset\.fold=1 out"):
        plan(["dataset.fold=1"], folds=4)


def test_means_and_deviations_are_between_folds_and_between_seeds() -> None:
    scores = {("0", "1"): 0.8, ("0", "2"): 0.6, ("1", "1"): 0.9, ("1", "2"): 0.9}
    found = [Measured({"seed": s, "dataset.fold": f}, {"accuracy": v}) for (s, f), v in scores.items()]
    (row,) = summary(found)
    assert row["settings"] == {}
    assert row["n"] == 4
    spread = row["metrics"]["accuracy"]
    assert spread["mean"] == pytest.approx(0.8)
    assert spread["std"] == pytest.approx(statistics.stdev([0.85, 0.75]))
    assert spread["std_seeds"] == pytest.approx(statistics.stdev([0.7, 0.9]))


@pytest.mark.process
def test_a_sweep_over_folds_and_seeds(bp: Any, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 60)).round(3)
    (tmp_path / "t.csv").write_text(
        "a,b,y\n" + "".join(f"{p},{q},{'yes' if p > q else 'no'}\n" for p, q in zip(a, b, strict=True))
    )
    (tmp_path / "t.yaml").write_text(CONFIG)
    config, runs = str(tmp_path / "t.yaml"), str(tmp_path / "runs")
    done = bp("sweep", config, "--folds", "3", "--set", "seed=0..1", "--jobs", "2", "--json", "--runs", runs)
    assert done.code == 0, done.err
    result = json.loads(done.out)
    assert len(result["trials"]) == 6
    with open(result["out_of_fold"]) as file:
        rows = list(csv.DictReader(file))
    for seed in "01":
        own = [row for row in rows if row["seed"] == seed]
        assert sorted(int(row["row"]) for row in own) == list(range(60))
        assert all(row["target"] == ("yes" if a[int(row["row"])] > b[int(row["row"])] else "no") for row in own)
    folds = [{(row["row"], row["fold"]) for row in rows if row["seed"] == seed} for seed in "01"]
    assert folds[0] == folds[1]
    measured = [evaluate_run(RunDirectory(Path(each["run_dir"])), "test")["metrics"] for each in result["trials"]]
    spread = result["folds"][0]["metrics"]["accuracy"]
    assert spread["mean"] == pytest.approx(statistics.fmean(each["accuracy"] for each in measured))
    right = sum(row["target"] == row["prediction"] for row in rows) / len(rows)
    assert spread["mean"] == pytest.approx(right)
    (row,) = bp("runs", "summary", result["sweep_dir"], "--metric", "test/accuracy", "--json").json
    assert (row["n"], row["settings"], row["mean"], row["std"]) == (6, {}, spread["mean"], spread["std"])
    (watched,) = bp("runs", "summary", result["sweep_dir"], "--json").json
    assert watched["metric"] == "test/loss"


def test_data_that_have_no_folds_are_named(bp) -> None:
    done = bp("sweep", "configs/moons.yaml", "--folds", "3")
    assert done.code == 2
    assert "configs/moons.yaml takes moons" in done.err
    assert "--set dataset.data_seed=0..4" in done.err
