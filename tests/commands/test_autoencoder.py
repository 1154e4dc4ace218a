"""`input_as_target`: a network trained to give its input back, through every command that measures or uses it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import load, load_config
from backprop_cli.commands.train import train
from backprop_cli.data.batches import Batches
from backprop_cli.data.dataset import Split
from backprop_cli.data.sample import Sample
from backprop_cli.registry import make

CONFIG = """
name: ae
dataset:
  source: sample
  name: digits
  transforms:
    - {type: scale, by: 0.0625}
    - {type: reshape, shape: [64]}
    - input_as_target
    - {type: noise, std: 0.2}
architecture:
  - {type: dense, units: 20, activation: relu}
  - {type: dense, units: 64, activation: sigmoid}
loss: binary_crossentropy
optimizer: {type: adam, learning_rate: 5e-3}
trainer: {epochs: 6, batch_size: 50, metrics: [mse]}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("autoencoder")
    (path / "ae.yaml").write_text(CONFIG)
    train(load_config(path / "ae.yaml"), run_dir=path / "run")
    return path


def test_noise_after_it_reaches_the_input_alone() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    steps = [make("transform", each) for each in ("input_as_target", {"type": "noise", "std": 1.0})]
    split = Split(x, np.arange(30))
    a, b = next(iter(Batches(split, 30, transforms=steps, shuffle=False, dtype="float64").epoch(1)))
    np.testing.assert_array_equal(b, x)
    assert 0.5 < np.std(a - b) < 1.5
    a, b = next(iter(Batches(split, 30, transforms=steps, shuffle=False, dtype="float64", augment=False).epoch(1)))
    np.testing.assert_array_equal(a, b)


def test_a_later_transform_in_place_leaves_the_target_alone() -> None:
    x = np.random.default_rng(0).normal(size=(30, 4))
    steps = [make("transform", each) for each in ("input_as_target", {"type": "reshape", "shape": [2, 2]})]
    a, b = next(iter(Batches(Split(x, np.arange(30)), 30, transforms=steps, shuffle=False).epoch(1)))
    assert (a.shape, b.shape) == ((30, 2, 2), (30, 4))


def test_eval_measures_against_the_input(folder: Path, bp: Any) -> None:
    done = bp("eval", folder / "run", "--json")
    measured = done.json
    model = load(str(folder / "run"))
    x = Sample(name="digits").load(0, folder).splits["test"].x
    expected = np.mean((model.predict(x) - x.reshape(-1, 64) / 16) ** 2)
    assert measured["metrics"]["mse"] == pytest.approx(expected, rel=1e-4)
    assert measured["metrics"]["mse"] < 0.06  # the mean picture has 0.075
    assert measured["confusion_matrix"] is None or not measured["confusion_matrix"]


def test_the_worst_rows_are_shown_by_their_first_numbers(folder: Path, bp: Any) -> None:
    done = bp("eval", folder / "run")
    assert "(64 in all)" in done.out
    assert len(done.out) < 5000


@pytest.mark.parametrize(
    "words",
    [
        ("check", "ae.yaml"),
        ("gradcheck", "ae.yaml"),
        ("trace", "ae.yaml"),
        ("doctor", "run"),
        ("report", "run", "-o", "ae.html"),
        ("export", "run", "--to", "numpy", "-o", "ae.py"),
        ("export", "run", "--to", "onnx", "-o", "ae.onnx"),
    ],
)
def test_every_command_takes_it(folder: Path, bp: Any, words: tuple[str, ...]) -> None:
    done = bp(*(folder / word if word in ("ae.yaml", "run") else word for word in words))
    assert done.code == 0, done.err


def test_unscale_is_refused_with_the_remedy(folder: Path, bp: Any) -> None:
    text = CONFIG.replace("activation: sigmoid}", "}\n  - unscale").replace("binary_crossentropy", "mse")
    (folder / "wrong.yaml").write_text(text)
    done = bp("check", folder / "wrong.yaml")
    assert done.code == 2
    assert "put standardize before input_as_target" in done.err
