"""Early stopping: when it stops, and which weights are left."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_cli import load_config, train
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.runs.directory import find_run

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
