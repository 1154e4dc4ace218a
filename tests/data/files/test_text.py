"""Text: windows and what comes next, a vocabulary of the training split."""

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data.inputs import read_inputs
from backprop_cli.data.schema import Schema
from backprop_cli.data.settled import schema_of
from backprop_cli.errors import DataError

TEXT = "the cat sat. The dog\r\nsat, too: don't! " * 20


def load(path, **options):
    options = {"source": "files", "path": Path(path), **options}
    return registry.make("source", options, key="source").load(0, Path("/nowhere"))


@pytest.fixture
def text(tmp_path):
    (tmp_path / "t.txt").write_bytes(TEXT.encode())
    return tmp_path / "t.txt"


@pytest.mark.parametrize(("level", "stride"), [("character", None), ("character", 1), ("word", 2)])
def test_windows_spell_the_text_and_what_comes_next(text, level, stride):
    dataset = load(text, level=level, length=5, stride=stride, splits={"train": "train"})
    train = dataset.splits["train"]
    names = np.array(dataset.classes)
    np.testing.assert_array_equal(train.x[:, 1:], train.y[:, :-1])
    plain = TEXT.replace("\r\n", "\n")
    if level == "character":
        spelled = ["".join(names[ids]) for ids in train.x[:20]]
        step = stride or 5
        assert spelled == [plain[i * step : i * step + 5] for i in range(20)]
    else:
        assert names[train.x[0]].tolist() == ["the", "cat", "sat", ".", "The"]
        assert names[train.y[4]].tolist() == ["too", ":", "don't", "!", "the"]


def test_splits_share_no_token(text):
    dataset = load(text, length=4, stride=1, splits={"train": "50%", "test": "50%"})
    train, test = dataset.splits["train"], dataset.splits["test"]
    half = len(TEXT.replace("\r\n", "\n")) // 2
    assert len(train) == len(test) == half - 4


def test_tokens_that_training_never_saw_are_0(tmp_path):
    (tmp_path / "t.txt").write_text("ab" * 50 + "cb" * 50)
    dataset = load(tmp_path / "t.txt", length=2, splits={"train": "50%", "test": "50%"})
    assert dataset.classes == ["�", "a", "b"]
    assert set(dataset.splits["test"].x.flat) == {0, 2}


def test_the_vocabulary_can_be_limited(text):
    assert len(load(text, level="word", vocabulary=3, length=2).classes) == 4


def test_a_sample_text_from_anywhere():
    dataset = load("sample:pride_and_prejudice", length=32)
    assert dataset.input_shape == (32,)
    assert len(dataset.splits["train"]) > 100


def test_texts_that_cannot_be_used(tmp_path):
    path = tmp_path / "t.txt"
    path.write_text("short")
    with pytest.raises(DataError, match="too few for one window of 64"):
        load(path, splits={"train": "train"})
    path.write_bytes(b"line\ngood \xff bad")
    with pytest.raises(DataError, match=r"t\.txt:2: byte 0xff is not UTF-8"):
        load(path)


def test_prediction_from_text(text, tmp_path):
    dataset = load(text, length=5)
    (tmp_path / "new.txt").write_text("the cat satXY")
    x = read_inputs(tmp_path / "new.txt", schema_of(dataset)).x
    assert "its last 3 tokens are left out" in read_inputs(tmp_path / "new.txt", schema_of(dataset)).notes[0]
    assert ["".join(np.array(dataset.classes)[ids]) for ids in x] == ["the c", "at sa"]
    with pytest.raises(DataError, match="not trained on a text"):
        read_inputs(tmp_path / "new.txt", Schema(shape=(5,), dtype="int32", target_shape=(5,), target_dtype="int32"))
