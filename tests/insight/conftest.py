"""A few small runs, really trained, that pictures and reports are made of."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT

MNIST = "dataset={source: sample, name: mnist5k}"
RECIPES: dict[str, tuple[str, list[str]]] = {
    "moons": ("moons", ["trainer.epochs=4"]),
    "moons_sgd": ("moons", ["trainer.epochs=4", "optimizer={type: sgd, learning_rate: 0.1}"]),
    "xor": ("xor", ["trainer.epochs=30"]),
    "mazur": ("mazur", []),
    "mnist": (
        "mnist",
        [
            f"{MNIST}",
            "trainer.epochs=2",
            "architecture=[{type: conv2d, filters: 4, kernel_size: 5, strides: 3, activation: relu}, flatten, "
            "{type: dense, units: 10, activation: softmax}]",
        ],
    ),
    "sick": (
        "moons",
        [
            "trainer.epochs=4",
            "architecture=[{repeat: {times: 12, layers: [{type: dense, units: 16, activation: sigmoid}]}}, "
            "{type: dense, units: 2, activation: softmax}]",
        ],
    ),
    "friedman": (
        "moons",
        [
            "dataset={source: synthetic, name: friedman, samples: 200}",
            "architecture=[{type: dense, units: 4, activation: tanh}, {type: dense, units: 1}]",
            "loss=mean_squared_error",
            "trainer={epochs: 2, metrics: [mae]}",
        ],
    ),
}


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The directory of a run of RECIPES, trained when first asked for."""
    folder = tmp_path_factory.mktemp("runs")

    def directory(name: str) -> Path:
        if not (folder / name).exists():
            config, overrides = RECIPES[name]
            cfg = load_config(ROOT / f"configs/{config}.yaml", [f"name={name}", *overrides])
            train(cfg, run_dir=folder / name)
        return folder / name

    return directory


@pytest.fixture(scope="session")
def view(trained: Callable[[str], Path]) -> Callable[[str], View]:
    """The same run, as pictures see it."""
    return lambda name: View(RunDirectory(trained(name)))
