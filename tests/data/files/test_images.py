"""Folders of images: a folder a class, sizes, colours, damage."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from backprop_cli import registry
from backprop_cli.data.inputs import read_inputs
from backprop_cli.data.schema import Schema
from backprop_cli.data.settled import schema_of
from backprop_cli.errors import DataError


def rows(*shape: int) -> Schema:
    return Schema(shape=shape, dtype="uint8", target_shape=(), target_dtype="int64")


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
    known = schema_of(dataset)
    x = read_inputs(tmp_path / "new.png", known).x
    assert x.shape == (1, 3, 3, 1)
    assert set(x.flat) == {9}
    many = read_inputs(pets / "cat", known)
    assert many.x.shape == (10, 3, 3, 1)
    assert many.files == sorted(path.name for path in (pets / "cat").iterdir())
    assert read_inputs(pets / "cat", rows(4, 6)).x.shape == (10, 4, 6)
    with pytest.raises(DataError, match="trained on rows of shape"):
        read_inputs(tmp_path / "new.png", rows(4))


@pytest.mark.parametrize(
    "names",
    [
        ("Train", "Test"),
        ("TRAIN", "VAL"),
        ("training", "Testing"),
        ("seg_train/seg_train", "seg_test/seg_test"),
        ("train-set", "test-set"),
    ],
)
def test_folders_of_splits_by_any_name(tmp_path, names):
    for name, count in zip(names, (3, 2), strict=True):
        for kind, value in (("cat", 1), ("dog", 200)):
            for i in range(count):
                draw(tmp_path / name / kind / f"{i}.png", value)
    dataset = load(tmp_path)
    assert dataset.classes == ["cat", "dog"]
    second = "validation" if names[1] == "VAL" else "test"
    assert {name: len(split) for name, split in dataset.splits.items()} == {"train": 6, second: 4}


def test_two_levels_that_could_be_anything_are_refused(tmp_path):
    for outer in ("Berlin", "Paris"):
        for kind in ("cat", "dog"):
            draw(tmp_path / "pics" / outer / kind / "1.png", 1)
    with pytest.raises(DataError, match="each of its folders Berlin, Paris holds the folders cat, dog"):
        load(tmp_path / "pics")
    named = {"train": tmp_path / "pics" / "Berlin", "test": tmp_path / "pics" / "Paris"}
    assert load(tmp_path, splits=named).classes == ["cat", "dog"]


def test_a_class_may_be_called_as_a_split_is(tmp_path):
    for kind, value in (("train", 1), ("bus", 200)):
        for i in range(4):
            draw(tmp_path / kind / f"{i}.png", value)
    assert load(tmp_path).classes == ["bus", "train"]


def test_what_is_passed_over_is_said(tmp_path):
    for name in ("train", "test", "unlabelled"):
        draw(tmp_path / name / "cat" / "1.png", 1)
    passed, twins = load(tmp_path).notes
    assert passed == f"{tmp_path}/unlabelled: passed over; it is no split, as test, train are"
    assert twins.startswith("1 of 1 rows of test stand in train, too")
    draw(tmp_path / "Training" / "cat" / "1.png", 1)
    with pytest.raises(DataError, match="are both the split train"):
        load(tmp_path)


def test_hidden_files_are_passed_over_at_every_depth(pets):
    draw(pets / "cat" / ".ipynb_checkpoints" / "0-checkpoint.png", 1)
    draw(pets / "dog" / "more" / ".thumbs" / "1.png", 1)
    draw(pets / "__MACOSX" / "cat" / "1.png", 1)
    (pets / "cat" / "._0.png").write_bytes(b"what macOS writes beside a file")
    (pets / ".git").mkdir()
    assert sum(len(split) for split in load(pets).splits.values()) == 20
    assert read_inputs(pets, rows(4, 6)).x.shape == (20, 4, 6)


def test_pictures_stand_upright_as_their_exif_data_say(tmp_path):
    """A camera that was held on its side writes the rows as the sensor saw them, and a 6: turn it by 270°."""
    pixels = np.repeat(np.arange(0, 240, 40, dtype=np.uint8)[None], 4, 0)  # (4, 6), dark left
    exif = Image.Exif()
    exif[0x0112] = 6
    for kind in ("a", "b"):
        (tmp_path / kind).mkdir()
        Image.fromarray(pixels).save(tmp_path / kind / "1.png", exif=exif)
    turned = np.rot90(pixels, -1)
    np.testing.assert_array_equal(load(tmp_path, splits={"train": "train"}).splits["train"].x[0, :, :, 0], turned)
    np.testing.assert_array_equal(read_inputs(tmp_path / "a" / "1.png", rows(6, 4)).x[0], turned)


def test_a_picture_replaced_by_one_of_the_same_size_and_date_is_read_again(pets):
    path = pets / "dog" / "more" / "0.bmp"
    before, stat = path.read_bytes(), path.stat()
    load(pets)
    draw(path, 77)
    assert len(path.read_bytes()) == len(before)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert 77 in np.concatenate([split.x for split in load(pets).splits.values()])


def test_what_can_be_seen_through_lies_on_white_and_cmyk_is_rgb(tmp_path):
    (tmp_path / "a").mkdir()
    clear = Image.new("RGBA", (6, 4), (10, 20, 30, 0))
    clear.save(tmp_path / "a" / "1.png")
    palette = Image.new("P", (6, 4), 1)
    palette.putpalette([0, 0, 0, 50, 60, 70] + [0] * 762)
    palette.save(tmp_path / "a" / "2.png")
    palette.save(tmp_path / "a" / "3.gif", transparency=1)
    Image.new("CMYK", (6, 4), (0, 255, 255, 0)).save(tmp_path / "a" / "4.tiff")
    Image.new("LA", (6, 4), (40, 255)).save(tmp_path / "a" / "5.png")
    x = load(tmp_path, splits={"train": "train"}).splits["train"]
    first = x.x[np.argsort(x.rows), 0, 0]
    np.testing.assert_array_equal(first, [[255] * 3, [50, 60, 70], [255] * 3, [255, 0, 0], [40] * 3])


def test_exif_turns_a_picture_upright(tmp_path):
    (tmp_path / "a").mkdir()
    image = Image.fromarray(np.array([[0, 255]], np.uint8))
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter turn clockwise
    image.save(tmp_path / "a" / "1.png", exif=exif)
    found = load(tmp_path, splits={"train": "train"})
    assert found.input_shape == (2, 1, 1)
    np.testing.assert_array_equal(found.splits["train"].x.ravel(), [0, 255])


def test_damaged_pictures_are_left_out_by_name_where_that_is_asked_for(pets):
    (pets / "cat" / "0.png").write_bytes(b"nothing")
    (pets / "dog" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"(?s)0\.png: not an image.*1\.png: not an image.*corrupt: skip"):
        load(pets)
    found = load(pets, corrupt="skip")
    count = sum(len(split) for split in found.splits.values())
    assert count == len([each for each in pets.rglob("*.*") if each.is_file()]) - 2
    assert "0.png" in found.notes[0]
    assert "1.png" in found.notes[0]
