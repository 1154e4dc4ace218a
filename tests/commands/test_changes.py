"""A run that goes on with other options: what may change is written down, what may not is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.errors import UsageError
from backprop_cli.runs.directory import RunDirectory
from tests.reliability.compare import EVERYTHING, differences, outcome, rows

CONFIG = """
dataset: {source: sample, name: iris, splits: {train: 70%, validation: 30%}}
architecture: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 3, activation: softmax}]
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.01, schedule: cosine}
trainer: {epochs: 3, metrics: [accuracy], early_stopping: {patience: 2}}
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    (tmp_path / "c.yaml").write_text(CONFIG)
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    return tmp_path / "run"


def test_a_changed_learning_rate_is_used_recorded_and_shown(run: Path, bp: Any) -> None:
    done = bp("train", "--resume", "run", "--epochs", "5", "--set", "optimizer.learning_rate=0.5", "--quiet")
    assert done.code == 0, done.err
    rates = [row["learning_rate"] for row in rows(run)]
    assert len(rates) == 5 and max(rates[:3]) <= 0.01 < 0.05 < rates[3]
    (change,) = json.loads((run / "run.json").read_text())["changes"]
    assert (change["epoch"], change["changed"]) == (
        4,
        {"optimizer.learning_rate": [0.01, 0.5], "trainer.epochs": [3, 5]},
    )
    assert load_config(run / "config.yaml").optimizer.learning_rate == 0.5
    assert "optimizer.learning_rate" in bp("runs", "show", "run", "--json").out
    assert "changes" in bp("runs", "show", "run").out
    again = bp("train", "--resume", "run", "--epochs", "6", "--quiet")
    assert again.code == 0 and len(json.loads((run / "run.json").read_text())["changes"]) == 2


@pytest.mark.parametrize(
    "override",
    [
        "optimizer.schedule=reduce_on_plateau",
        "optimizer.schedule={type: step, every: 2}",
        "optimizer.schedule=constant",
        "optimizer.weight_decay=0.1",
        "optimizer.clip_norm=1",
        "trainer.early_stopping.patience=50",
        "~trainer.early_stopping",
        "trainer.checkpoint.keep_last=1",
        "trainer.diagnostics=false",
    ],
)
def test_what_may_change(run: Path, override: str) -> None:
    result = resume(RunDirectory(run), epochs=5, overrides=[override])
    assert result["epochs"] == 5 and result["status"] == "completed"


@pytest.mark.parametrize(
    "override",
    [
        "optimizer={type: sgd, momentum: 0.9}",
        "optimizer.beta_1=0.5",
        "optimizer.accumulate=2",
        "optimizer.ema=0.9",
        "architecture.0.units=9",
        "architecture.0.activation=relu",
        "loss.label_smoothing=0.1",
        "trainer.batch_size=7",
        "trainer.metrics+=f1",
        "trainer.early_stopping.monitor=train/loss",
        "trainer.checkpoint.monitor=train/loss",
        "dtype=float64",
        "seed=3",
        "name=other",
        "dataset.name=wine",
        "dataset.splits.train=60%",
        "dataset.transforms=[standardize]",
    ],
)
def test_what_would_change_the_meaning_of_the_state_is_refused(run: Path, override: str) -> None:
    before = {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    with pytest.raises(UsageError, match="cannot go on with another"):
        resume(RunDirectory(run), epochs=5, overrides=[override])
    assert {path.name: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before


def test_a_mistyped_change_is_a_line_of_the_config(run: Path, bp: Any) -> None:
    done = bp("train", "--resume", "run", "--set", "optimizer.learning_rat=1")
    assert done.code == 2 and "did you mean 'learning_rate'" in done.err and "Traceback" not in done.err


def test_fewer_epochs_than_were_made_are_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="has made 3 epochs"):
        resume(RunDirectory(run), overrides=["trainer.epochs=2"])


def test_without_changes_nothing_is_written_down(tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(load_config(EVERYTHING, ["trainer.epochs=2"]), run_dir=whole)
    train(load_config(EVERYTHING, ["trainer.epochs=2"]), run_dir=parts)
    resume(RunDirectory(parts))
    assert "changes" not in RunDirectory(parts).info
    assert differences(outcome(parts), outcome(whole)) == []


@pytest.mark.parametrize(("schedule", "said"), [("{type: cosine}", True), ("{type: cosine, steps: 20}", False)])
def test_a_longer_run_says_that_its_schedule_stretches(tmp_path: Path, schedule: str, said: bool) -> None:
    changes = ["trainer.epochs=2", f"optimizer.schedule={schedule}"]
    train(load_config("bp:moons", changes), run_dir=tmp_path / "run")
    heard: list[str] = []
    resume(RunDirectory(tmp_path / "run"), epochs=4, warn=heard.append)
    assert any("the schedule cosine is as long as the training, now 4 epochs" in line for line in heard) is said
