"""What may stand under `splits:`: a word means the same for every source, or is an error."""

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.errors import DataError

ROWS = "a,y\n" + "".join(f"{i},{i % 2}\n" for i in range(100))
SOURCES = ["table", "arrays", "synthetic", "sample"]


def load(folder: Path, source: str, splits):
    options: dict = {"splits": splits}
    if source == "table":
        (folder / "t.csv").write_text(ROWS)
        options |= {"source": "files", "path": folder / "t.csv", "target": "y", "features": ["a"]}
    elif source == "arrays":
        np.savez(folder / "t.npz", x=np.arange(200.0).reshape(100, 2), y=np.arange(100) % 2)
        options |= {"source": "files", "path": folder / "t.npz"}
    elif source == "synthetic":
        options |= {"samples": 100}
        return registry.make("synthetic", {"type": "moons", **options}).load(0, folder)
    else:
        options |= {"source": "sample", "name": "iris"}
    return registry.make("source", options, key="source").load(0, folder)


def shares(folder, source, splits):
    parts = load(folder, source, splits).splits
    total = 150 if source == "sample" else 100
    return {name: len(part) / total for name, part in parts.items()}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", ["validation", "valid", "val", "dev", "Val", "VALIDATION"])
def test_each_name_of_validation_is_validation(tmp_path, source, name):
    assert shares(tmp_path, source, {"train": "80%", name: "20%"}) == {"train": 0.8, "validation": 0.2}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "written",
    [
        {"train": 0.8, "test": 0.2},
        {"train": "0.8", "test": ".2"},
        {"train": 80, "test": 20},
        {"train": "80", "test": "20 %"},
        {"train": "80%", "test": 0.2},
        {"training": 80.0, "testing": "train[80%:]"},
    ],
)
def test_a_share_in_every_spelling(tmp_path, source, written):
    assert shares(tmp_path, source, written) == {"train": 0.8, "test": 0.2}


def test_one_is_all(tmp_path):
    assert shares(tmp_path, "table", {"train": 1}) == {"train": 1.0}


def test_shares_of_train_beside_a_split_of_its_own(tmp_path):
    parts = registry.make(
        "source",
        {"source": "sample", "name": "mnist5k", "splits": {"train": 0.9, "val": 0.1, "test": "valid"}},
        key="source",
    ).load(0, tmp_path)
    assert {name: len(part) for name, part in parts.splits.items()} == {"train": 3600, "validation": 400, "test": 500}


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"train": "80%", "validaton": "20%"}, "no split 'validaton'.*did you mean 'validation'"),
        ({"trian": "80%", "test": "20%"}, "did you mean 'train'"),
        ({"train": "60%", "val": "20%", "dev": "20%"}, "'val' and 'dev' are both validation"),
        ({"train": 80, "test": 30}, "add up to 110%"),
        ({"train": 0.8, "test": 0.3}, "add up to 110%"),
        ({"train": 80, "test": 0.2}, "of two kinds"),
        ({"train": 8000, "test": 2000}, r"a number of rows is written as train\[:1000\]"),
        ({"train": "trayn[:80%]"}, "there is no split 'trayn'"),
        ({"train": "train[:80%"}, "cannot read"),
    ],
)
def test_what_means_nothing_is_said(tmp_path, source, written, message):
    with pytest.raises(DataError, match=message):
        load(tmp_path, source, written)


def test_names_of_ones_own(tmp_path):
    splits = {"train": "40%", "test2": "20%", "train_small": "20%", "trainval": "10%", "holdout": "10%"}
    assert list(load(tmp_path, "table", splits).splits) == list(splits)


def test_shares_beside_files_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"train: a\.csv is a file, test: 20% is not"):
        load(tmp_path, "table", {"train": "a.csv", "test": "20%"})


def test_a_config_says_where_the_word_stands(bp, tmp_path):
    (tmp_path / "t.csv").write_text(ROWS)
    (tmp_path / "c.yaml").write_text(
        "dataset:\n  source: files\n  path: t.csv\n  target: y\n  splits: {train: 0.8, valid: 20%}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\nloss: sparse_categorical_crossentropy\n"
        "trainer: {epochs: 1, early_stopping: {patience: 1}}\n"
    )
    done = bp("train", "c.yaml", "--run-dir", "r", "--json", "--quiet")
    assert "validation/loss" in done.json["best"], done.err
    wrong = bp("check", "c.yaml", "--set", "dataset.splits={train: 80, vlidation: 20}")
    assert wrong.code == 2
    assert "did you mean 'validation'" in wrong.err
