"""Losses and metrics of padded sequences are means over the steps that count, whatever the batches."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.training.loop import Loop, Row
from backprop_cli.training.measures import outputs

CONFIG = """
dataset: {source: files, path: seq.npz}
architecture:
  - {type: embedding, input_dim: 6, output_dim: 4, mask_zero: true}
  - {type: lstm, units: 5, return_sequences: true}
  - {type: dense, units: 6, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {type: sgd, learning_rate: 0.0}
trainer: {epochs: 1, batch_size: 40, metrics: [perplexity, accuracy], shuffle: false}
dtype: float64
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    arrays = {}
    for split, rows in (("train", 40), ("validation", 23)):
        x = rng.integers(1, 6, (rows, 20))
        lengths = np.where(np.arange(rows) < rows // 2, 1, rng.integers(1, 21, rows))  # short ones first
        x[np.arange(20) >= lengths[:, None]] = 0
        arrays |= {f"x_{split}": x, f"y_{split}": rng.integers(0, 6, x.shape)}
    np.savez(tmp_path / "seq.npz", **arrays)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path


def trained(folder: Path, *overrides: str) -> Loop:
    loop, _ = build.training(build.prepare(load_config(folder / "c.yaml", list(overrides))))
    loop.run()
    return loop


def numbers(row: Row) -> dict[str, float]:
    return {name: value for name, value in row.items() if "/" in name}


@pytest.mark.parametrize("batch", [1, 7, 16, 40])
def test_the_batch_size_changes_no_number(folder: Path, batch: int) -> None:
    whole, parts = trained(folder).row, trained(folder, f"trainer.batch_size={batch}").row
    assert numbers(parts) == pytest.approx(numbers(whole), rel=1e-9)
    for split in ("train", "validation"):
        assert whole[f"{split}/perplexity"] == pytest.approx(np.exp(whole[f"{split}/loss"]), rel=1e-9)


def test_the_loss_is_the_mean_over_the_steps_that_count(folder: Path) -> None:
    loop = trained(folder, "trainer.batch_size=7")
    data = np.load(folder / "seq.npz")
    x, target = data["x_validation"], data["y_validation"]
    p = loop.network.forward(x)
    terms = -np.log(np.take_along_axis(p, target[..., None], axis=-1)[..., 0])
    assert loop.row["validation/loss"] == pytest.approx(terms[x != 0].mean(), rel=1e-9)


def test_accumulated_batches_of_sequences_train_as_one_large_batch(folder: Path) -> None:
    learning = ["optimizer.learning_rate=0.5", "trainer.epochs=3"]
    whole = trained(folder, *learning, "trainer.batch_size=16")
    parts = trained(folder, *learning, "trainer.batch_size=4", "optimizer.accumulate=4")
    np.testing.assert_allclose(parts.network.store.values, whole.network.store.values, rtol=1e-9, atol=1e-12)


def test_batches_of_padding_alone_count_nothing(folder: Path) -> None:
    whole = trained(folder, "optimizer.learning_rate=0.5").row
    data = dict(np.load(folder / "seq.npz"))
    for split in ("train", "validation"):
        data[f"x_{split}"] = np.concatenate([data[f"x_{split}"], np.zeros((40, 20), np.int64)])
        data[f"y_{split}"] = np.concatenate([data[f"y_{split}"], np.zeros((40, 20), np.int64)])
    np.savez(folder / "seq.npz", **data)
    padded = trained(folder, "optimizer.learning_rate=0.5").row
    assert padded["train/loss"] == pytest.approx(whole["train/loss"], rel=1e-9)


def test_what_diagnostics_measure_leaves_padding_out(folder: Path) -> None:
    layers = "architecture.1={type: conv1d, filters: 5, kernel_size: 3, padding: same, activation: relu}"
    found = []
    for more in (0, 30):
        data = {name: np.pad(each, ((0, 0), (0, more))) for name, each in np.load(folder / "seq.npz").items()}
        np.savez(folder / "seq.npz", **data)
        found.append(outputs(trained(folder, layers).network))
    short, long = found
    assert short.keys() == long.keys() and "dead" in short["conv1d_1"]
    for name, numbers_of_layer in short.items():
        assert long[name] == pytest.approx(numbers_of_layer, rel=1e-9), name
