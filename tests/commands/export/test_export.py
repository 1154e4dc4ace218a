"""`bp export` as a user has it: a run or a file, three forms, mistakes in one line and nothing half-written."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file

from backprop_cli import load
from backprop_cli.commands.export.export import export
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config
from backprop_cli.errors import UsageError

CONFIG = """\
name: flowers
dataset: {source: sample, name: iris, transforms: [standardize]}
architecture:
  - {type: dense, units: 6, activation: relu}
  - batch_norm
  - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
optimizer: {type: adam, ema: 0.9}
trainer: {epochs: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "flowers.yaml").write_text(CONFIG)
    train(load_config(folder / "flowers.yaml"), run_dir=folder / "run")
    return folder / "run"


def test_a_safetensors_file_is_the_whole_model_without_the_training(run: Path, tmp_path: Path) -> None:
    model = load(run)
    made = export(model, "safetensors", tmp_path / "flowers.safetensors")
    again = load(made.path)
    x = np.random.default_rng(0).normal(5, 2, (7, 4))
    np.testing.assert_array_equal(again.outputs(x), model.outputs(x))
    assert again.classes == ["setosa", "versicolor", "virginica"]
    assert not [name for name in load_file(made.path) if name.startswith("optimizer")]
    assert made.path.stat().st_size < (run / "checkpoints" / "best.safetensors").stat().st_size
    twice = export(again, "safetensors", tmp_path / "again.safetensors")
    assert twice.path.read_bytes() == made.path.read_bytes()


def test_the_command(bp: Callable[..., Any], run: Path, tmp_path: Path) -> None:
    done = bp("export", run, "--to", "onnx", "-o", "model.onnx", "--json")
    assert done.code == 0, done.err
    assert done.json == {
        "file": "model.onnx",
        "target": "onnx",
        "bytes": (tmp_path / "model.onnx").stat().st_size,
        "inputs": [{"name": "input", "type": "float32", "shape": ["batch", 4]}],
    }
    done = bp("export", run / "checkpoints" / "last.safetensors", "--to", "numpy")
    assert (done.code, done.out) == (0, "flowers.py\n")


def test_without_the_package_onnx_nothing_is_written(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("backprop_cli.commands.export.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delattr("backprop_cli.commands.export.onnx", raising=False)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(UsageError, match=r"^--to onnx needs the package onnx.*pip install 'backprop-cli\[export\]'$"):
        export(load(run), "onnx", tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("model.py", UsageError, "model.py has the suffix of --to numpy; expected a name ending in .onnx"),
        (".", UsageError, "is a folder; expected the name of a file"),
        ("nowhere/model.onnx", UsageError, "there is no folder .*nowhere"),
    ],
)
def test_a_place_where_nothing_can_be_written(
    name: str, error: type[Exception], said: str, run: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=said):
        export(load(run), "onnx", tmp_path / name)
    assert not list(tmp_path.iterdir())
