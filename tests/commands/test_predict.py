"""`bp predict`: the rows of a file, through the transforms of the training."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

CONFIG = """
dataset:
  source: files
  path: flowers.csv
  target: kind
  splits: {train: "train[:80%]", validation: "train[80%:]"}
  transforms: [standardize]
architecture: [{type: dense, units: 2, activation: softmax}]
loss: cross_entropy
optimizer: {type: adam, learning_rate: 0.1}
trainer: {epochs: 30, metrics: [accuracy]}
"""


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    rows = [("short", *rng.normal([1, 100], [0.1, 5])) for _ in range(40)]
    rows += [("long", *rng.normal([2, 300], [0.1, 5])) for _ in range(40)]
    rng.shuffle(rows)
    lines = ["kind,width,height", *(f"{kind},{width},{height}" for kind, width, height in rows)]
    (tmp_path / "flowers.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "flowers.yaml").write_text(CONFIG)
    return tmp_path


def test_columns_are_found_by_name_and_scaled_as_in_training(bp, flowers: Path) -> None:
    trained = bp("train", "flowers.yaml", "--json", "--quiet")
    assert trained.code == 0, trained.err
    (flowers / "new.csv").write_text("height,note,width\n101,x,1.02\n295,y,1.9\n")
    done = bp("predict", "latest", "new.csv")
    assert done.code == 0, done.err
    assert [row["prediction"] for row in csv.DictReader(io.StringIO(done.out))] == ["short", "long"]
    saved = bp("predict", "latest", "new.csv", "-o", "out.npy")
    assert saved.code == 0, saved.err
    assert np.load(flowers / "out.npy").shape == (2, 2)


def test_what_cannot_be_predicted_says_why(bp, flowers: Path) -> None:
    bp("train", "flowers.yaml", "--quiet")
    (flowers / "narrow.csv").write_text("width\n1\n")
    np.save(flowers / "wide.npy", np.zeros((2, 5)))
    for path, word in (("narrow.csv", "height"), ("wide.npy", "shape"), ("none.csv", "none.csv")):
        done = bp("predict", "latest", path)
        assert done.code in (1, 2)
        assert word in done.err
        assert "Traceback" not in done.err
    assert bp("predict", "latest", "wide.npy", "-o", "x.xls").code in (1, 2)
