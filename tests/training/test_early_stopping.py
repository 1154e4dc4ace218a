"""Early stopping: when it stops, and which weights are left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli import load_config, train
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.resume import resume
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.finding import find_run
from tests.reliability.compare import rows

CONFIG = """
dataset: {{source: synthetic, name: moons, samples: 200, splits: {{train: "train[:50%]", validation: "train[50%:]"}}}}
architecture: [{{type: dense, units: 8, activation: tanh}}, {{type: dense, units: 2, activation: softmax}}]
loss: sparse_categorical_crossentropy
optimizer: {{type: sgd, learning_rate: {rate}}}
trainer: {{epochs: 50, early_stopping: {{monitor: validation/loss, patience: {patience}}}}}
"""


@pytest.mark.parametrize("patience", [0, 1, 3])
def test_it_stops_after_so_many_epochs_without_a_better_one(tmp_path: Path, patience: int) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(rate=0, patience=patience))  # only the first epoch is the best
    result = train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    assert result["best"]["epoch"] == 1 and result["epochs"] == 1 + max(patience, 1)


def test_eval_uses_the_best_epoch(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.format(rate=8, patience=2))
    result = train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    assert result["best"]["epoch"] < result["epochs"] < 50
    measured = evaluate_run(find_run(str(tmp_path / "run"), tmp_path), "validation")["metrics"]
    assert measured["loss"] == pytest.approx(result["best"]["validation/loss"], rel=1e-6)


NOISY = """
dataset:
  {source: synthetic, name: moons, samples: 96, noise: 0.4, splits: {train: "train[:64]", validation: "train[64:]"}}
architecture: [{type: dense, units: 32, activation: relu}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer: {type: adam, learning_rate: 0.002}
trainer: {epochs: 40, metrics: [accuracy]}
"""


@pytest.mark.parametrize(("monitor", "best"), [("validation/loss", min), ("validation/accuracy", max)])
def test_min_delta_is_about_stopping_alone(tmp_path: Path, monitor: str, best: Callable[..., float]) -> None:
    (tmp_path / "c.yaml").write_text(NOISY)
    stopping = f"trainer.early_stopping={{monitor: {monitor}, patience: 12, min_delta: 0.1}}"
    result = train(load_config(tmp_path / "c.yaml", [stopping]), run_dir=tmp_path / "run")
    column = [row[monitor] for row in rows(tmp_path / "run")]
    assert result["best"][monitor] == best(column)
    reference, waited = None, 0  # slow and obvious
    for value in column:
        gained = None if reference is None else (reference - value if best is min else value - reference)
        waited = 0 if gained is None or gained > 0.1 else waited + 1
        reference = value if waited == 0 else reference
    assert waited == 12 and len(column) < 40


def test_a_run_that_stopped_early_goes_on_with_its_whole_patience(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(NOISY)
    options = ["trainer.early_stopping={patience: 4}", "optimizer.learning_rate=0.05", "trainer.epochs=200"]
    stopped = train(load_config(tmp_path / "c.yaml", options), run_dir=tmp_path / "run")["epochs"]
    for _ in range(2):
        run = RunDirectory(tmp_path / "run")
        longer = resume(run, epochs=300)
        assert longer["epochs"] >= stopped + 4
        assert longer["best"]["epoch"] == longer["epochs"] - 4 or longer["best"]["epoch"] <= stopped
        stopped = longer["epochs"]


def test_a_run_that_did_not_stop_keeps_its_count_of_epochs(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(NOISY)
    options = ["trainer.early_stopping={patience: 4}", "optimizer.learning_rate=0.05"]
    whole = train(load_config(tmp_path / "c.yaml", [*options, "trainer.epochs=200"]), run_dir=tmp_path / "whole")
    short = f"trainer.epochs={whole['epochs'] - 2}"
    train(load_config(tmp_path / "c.yaml", [*options, short]), run_dir=tmp_path / "run")
    assert resume(RunDirectory(tmp_path / "run"), epochs=200)["epochs"] == whole["epochs"]
