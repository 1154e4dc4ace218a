"""Which trial of a sweep is best, by which column, and which trials share a folder."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.commands.sweep.outcomes import Outcome, ranked
from backprop_cli.commands.sweep.trials import Trial
from backprop_cli.registry import make

METRICS = [make("metric", "accuracy"), make("metric", {"type": "f1", "average": "macro"}), make("metric", "auc")]


def outcome(name: str, best: dict[str, Any] | None = None, **last: Any) -> Outcome:
    metrics = {key.replace("__", "/"): value for key, value in last.items()}
    return Outcome(Trial(name, (), {}), Path(name), "completed", {"best": best, "metrics": metrics})


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_a_trial_without_a_finite_value_is_never_the_best(order: tuple[int, ...]) -> None:
    trials = [outcome(str(value), validation__auc=value) for value in (float("nan"), 0.5, 0.75, float("inf"))]
    column, best = ranked([trials[i] for i in order], METRICS, "validation/auc")
    assert column == "validation/auc"
    assert [value for value, _ in best] == [0.75, 0.5]


def test_the_metric_itself_says_which_way_is_better() -> None:
    for key, first in (("accuracy", 0.9), ("f1_macro", 0.9), ("loss", 0.1)):
        trials = [outcome("a", **{f"validation__{key}": 0.1}), outcome("b", **{f"validation__{key}": 0.9})]
        assert ranked(trials, METRICS, f"validation/{key}")[1][0][0] == first
        assert ranked(trials, METRICS, f"validation/{key}", maximize=first == 0.1)[1][0][0] != first


def test_a_column_has_one_meaning() -> None:
    """`best.validation/loss` is that of the best epoch, `validation/loss` that of the last."""
    trials = [
        outcome("a", {"epoch": 1, "step": 9, "validation/loss": 0.2}, validation__loss=0.9, validation__accuracy=0.7),
        outcome("b", {"epoch": 2, "step": 9, "validation/loss": 0.3}, validation__loss=0.4, validation__accuracy=0.8),
    ]
    column, best = ranked(trials, METRICS)
    assert (column, [value for value, _ in best]) == ("best.validation/loss", [0.2, 0.3])
    column, best = ranked(trials, METRICS, "validation/accuracy")
    assert (column, [value for value, _ in best]) == ("validation/accuracy", [0.8, 0.7])
    other = outcome("c", {"epoch": 1, "step": 9, "validation/accuracy": 0.6}, validation__loss=0.5)
    column, best = ranked([*trials, other], METRICS, "validation/loss")
    assert (column, [value for value, _ in best]) == ("validation/loss", [0.4, 0.5, 0.9])
    assert ranked([outcome("d")], METRICS) == (None, [])


@pytest.mark.long
def test_a_folder_holds_the_trials_of_one_sweep(bp: Callable[..., Any], tmp_path: Path) -> None:
    quick = ("configs/xor.yaml", "--quiet", "--set", "trainer.epochs=1")
    assert bp("sweep", *quick, "--set", "optimizer.learning_rate=0.1,0.2").code == 0
    kept = (tmp_path / "runs" / "xor-sweep" / "sweep.json").read_text()
    again = bp("sweep", *quick, "--set", "optimizer.learning_rate=0.1,0.2", "--set", "architecture.0.units=5")
    assert again.code == 2, again.out
    assert "other fixed values, such as that with --set trainer.epochs=1 --set optimizer" in again.err
    assert "choose another --name" in again.err
    assert (tmp_path / "runs" / "xor-sweep" / "sweep.json").read_text() == kept
    more = bp("sweep", *quick, "--set", "optimizer.learning_rate=0.2,0.3", "--resume")
    assert more.code == 0, more.err
    noted = json.loads((tmp_path / "runs" / "xor-sweep" / "sweep.json").read_text())["trials"]
    assert [row["varied"]["optimizer.learning_rate"] for row in noted] == ["0.1", "0.2", "0.3"]
