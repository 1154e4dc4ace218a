"""Folders of images: a folder a class, sizes, colours, damage."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backprop_cli import registry
from backprop_cli.data.inputs import read_inputs
from backprop_cli.errors import DataError


def load(path, **options):
    options = {"source": "files", "path": Path(path), **options}
    return registry.make("source", options, key="source").load(0, Path("/nowhere"))


def draw(path, value, size=(6, 4), mode="L"):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new(mode, size, value).save(path)


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch):
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("BP_CACHE", str(folder))
    return folder


@pytest.fixture
def pets(tmp_path):
    for i in range(10):
        draw(tmp_path / "pets" / "cat" / f"{i}.png", i)
        draw(tmp_path / "pets" / "dog" / "more" / f"{i}.bmp", 100 + i)
    return tmp_path / "pets"


def test_a_folder_a_class(pets):
    dataset = load(pets, splits={"train": "80%", "test": "20%"})
    assert dataset.classes == ["cat", "dog"]
    assert dataset.name == "pets"
    for split in dataset.splits.values():
        assert split.x.shape[1:] == (4, 6, 1)
        assert split.x.dtype == np.uint8
        np.testing.assert_array_equal(split.y, split.x[:, 0, 0, 0] >= 100)
        assert split.y.mean() == 0.5


def test_images_are_decoded_once(pets, cache, monkeypatch):
    first = load(pets)
    with monkeypatch.context() as blind:
        blind.setattr(Image, "open", None)
        again = load(pets)
    for name, split in first.splits.items():
        np.testing.assert_array_equal(split.x, again.splits[name].x)
    assert again.origin == first.origin
    draw(pets / "cat" / "0.png", 55)
    assert 55 in np.concatenate([split.x for split in load(pets).splits.values()])
    draw(pets / "cat" / "new.png", 77)
    assert 77 in np.concatenate([split.x for split in load(pets).splits.values()])
    (pets / "cat" / "new.png").unlink()
    assert 77 not in np.concatenate([split.x for split in load(pets).splits.values()])
    assert len(list((cache / "images").iterdir())) == 1


def test_folders_of_splits_stay_on_disk(tmp_path):
    for split in ("train", "test"):
        draw(tmp_path / split / "a" / "1.png", 1)
    assert all(isinstance(split.x, np.memmap) for split in load(tmp_path).splits.values())


def test_folders_of_splits(tmp_path):
    for split, count in (("train", 3), ("val", 2), ("test", 1)):
        for i in range(count):
            draw(tmp_path / split / "a" / f"{i}.png", (i, 2, 3), mode="RGB")
    dataset = load(tmp_path)
    assert {k: v.x.shape for k, v in dataset.splits.items()} == {
        "train": (3, 4, 6, 3),
        "validation": (2, 4, 6, 3),
        "test": (1, 4, 6, 3),
    }


def test_one_picture_in_colour_makes_all_of_them_so(pets):
    draw(pets / "dog" / "red.png", (255, 0, 0), mode="RGB")
    assert load(pets).input_shape == (4, 6, 3)
    assert load(pets, color="grey").input_shape == (4, 6, 1)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    for label in "ab":
        (tmp_path / label).mkdir()
        Image.fromarray(np.full((4, 6), 40000, np.uint16)).save(tmp_path / label / "1.png")
    assert load(tmp_path, splits={"train": "train"}).splits["train"].x.max() == round(40000 * 255 / 65535)


def test_images_of_different_sizes(pets):
    draw(pets / "dog" / "z.png", 1, size=(5, 5))
    with pytest.raises(DataError, match=r"z\.png: 5 × 5 pixels, the images before it 4 × 6; set dataset\.size"):
        load(pets)
    assert load(pets, size=[3, 3]).input_shape == (3, 3, 1)


def test_damaged_images(pets):
    whole = (pets / "cat" / "0.png").read_bytes()
    (pets / "cat" / "0.png").write_bytes(b"nothing")
    with pytest.raises(DataError, match=r"0\.png: not an image"):
        load(pets)
    (pets / "cat" / "0.png").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"0\.png: "):
        load(pets)


def test_folders_that_hold_no_images(tmp_path):
    with pytest.raises(DataError, match="a folder of images for each class"):
        load(tmp_path, format="images")
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="cat: no images"):
        load(tmp_path)


def test_a_class_that_training_never_saw(tmp_path):
    draw(tmp_path / "train" / "a" / "1.png", 1)
    draw(tmp_path / "test" / "b" / "1.png", 1)
    with pytest.raises(DataError, match="label 'b' never occurs"):
        load(tmp_path)


def test_prediction_from_images(pets, tmp_path):
    dataset = load(pets, size=[3, 3])
    draw(tmp_path / "new.png", (9, 9, 9), size=(50, 40), mode="RGB")
    x = read_inputs(tmp_path / "new.png", dataset.origin, dataset.input_shape)
    assert x.shape == (1, 3, 3, 1)
    assert set(x.flat) == {9}
    assert read_inputs(pets / "cat", dataset.origin, dataset.input_shape).shape == (10, 3, 3, 1)
    assert read_inputs(pets / "cat", {}, (4, 6)).shape == (10, 4, 6)
    with pytest.raises(DataError, match="trained on rows of shape"):
        read_inputs(tmp_path / "new.png", {}, (4,))
