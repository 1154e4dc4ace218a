"""The datasets that ship: complete, stratified, small, and split as asked."""

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import registry
from backprop_cli.data.sample import Sample, names
from backprop_cli.data.sample_files import FOLDER, file_names, sample_path
from backprop_cli.errors import DataError, UnknownNameError

HERE = Path()


def test_mnist5k_is_stratified_and_small() -> None:
    dataset = Sample(name="mnist5k").load(0, HERE)
    assert {name: len(split) for name, split in dataset.splits.items()} == {
        "train": 4000,
        "validation": 500,
        "test": 500,
    }
    for split in dataset.splits.values():
        assert split.x.shape[1:] == (28, 28, 1)
        assert split.x.dtype == np.uint8
        assert np.bincount(split.y).tolist() == [len(split) // 10] * 10
    pixels = np.concatenate([split.x.reshape(-1, 784) for split in dataset.splits.values()])
    assert pixels.max() == 255
    assert len(np.unique(pixels, axis=0)) == 5000
    assert dataset.classes == [str(digit) for digit in range(10)]
    assert sample_path("mnist5k").stat().st_size < 1_500_000


@pytest.mark.parametrize(
    ("name", "shape", "counts"),  # as the papers and repositories named in the README give them
    [
        ("iris", (4,), [50, 50, 50]),
        ("wine", (13,), [59, 71, 48]),
        ("breast_cancer", (30,), [212, 357]),
        ("digits", (8, 8, 1), [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]),
        ("diabetes", (10,), None),
    ],
)
def test_tables_are_whole(name: str, shape: tuple[int, ...], counts: list[int] | None) -> None:
    dataset = Sample(name=name, splits={"train": "train"}).load(0, HERE)
    split = dataset.splits["train"]
    assert split.x.shape[1:] == shape
    assert np.isfinite(split.x).all()
    assert dataset.features is None or len(dataset.features) == shape[0]
    if counts is None:
        assert dataset.classes is None
        assert split.y.shape == (442, 1)
    else:
        assert dataset.classes is not None
        assert len(dataset.classes) == len(counts)
        assert np.bincount(split.y).tolist() == counts


@pytest.mark.parametrize("name", ["iris", "wine", "breast_cancer", "digits"])
def test_default_splits_are_stratified(name: str) -> None:
    dataset = Sample(name=name).load(0, HERE)
    everything = np.concatenate([split.y for split in dataset.splits.values()])
    share = np.bincount(everything) / len(everything)
    assert sorted(dataset.splits) == ["test", "train", "validation"]
    for split in dataset.splits.values():
        assert np.abs(np.bincount(split.y) - share * len(split)).max() <= 2


def test_every_sample_is_named_in_the_readme() -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    for name in names() + file_names():
        assert f"`{sample_path(name).name}`" in readme


def test_the_text_is_plain_ascii() -> None:
    text = sample_path("pride_and_prejudice").read_text(encoding="ascii")
    assert text.startswith("PRIDE AND PREJUDICE\n")
    assert len(text) > 20_000


def test_mistakes_are_named() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'mnist5k'"):
        Sample(name="mnist").load(0, HERE)
    with pytest.raises(UnknownNameError, match="source: files, path: 'sample:pride_and_prejudice'"):
        Sample(name="pride_and_prejudice").load(0, HERE)
    with pytest.raises(DataError, match="no split 'test'"):
        Sample(name="iris", splits={"train": "test"}).load(0, HERE)
    assert isinstance(registry.make("source", {"source": "sample", "name": "iris"}, key="source"), Sample)
