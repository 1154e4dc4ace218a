"""Pictures that a table lists, with classes, several labels or values; Hugging Face's Parquet files as they are."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from backprop_cli import load
from backprop_cli.commands.file_evaluation import evaluate_file
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files.media import DamagedFileError
from backprop_cli.errors import DataError
from backprop_cli.registry import make

GREYS = {"dark": 20, "mid": 120, "light": 230}


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BP_CACHE", str(tmp_path / "cache"))


def source(path: Path, **options: Any) -> Dataset:
    made = make("source", {"source": "files", "path": path, **options}, key="source")
    return made.load(0, path.parent)  # type: ignore[no-any-return]  # a source's


def png(value: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), value).save(buffer, "PNG")
    return buffer.getvalue()


def listed(folder: Path, count: int = 30) -> Path:
    """Pictures in a folder of their own, and a table that names them without their ending."""
    (folder / "shots").mkdir(parents=True)
    names = list(GREYS)
    rows = []
    for i in range(count):
        label = names[i % 3]
        (folder / "shots" / f"{i}.png").write_bytes(png(GREYS[label]))
        rows.append(f"shots/{i},{label},{label}|{'odd' if i % 2 else 'even'},{int(label == 'dark')},{i % 2}")
    path = folder / "labels.csv"
    path.write_text("file,label,tags,dark,odd\n" + "\n".join(rows) + "\n")
    return path


def hugging_face(folder: Path) -> Path:
    """train in two parts and test, as `datasets` writes them."""
    about = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": list(GREYS)}}
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    (folder / "hub" / "data").mkdir(parents=True)
    for split, parts in (("train", 2), ("test", 1)):
        for part in range(parts):
            ids = np.arange(part, part + 12) % 3
            pictures = [{"bytes": png(list(GREYS.values())[k]), "path": f"{i}.png"} for i, k in enumerate(ids)]
            table = pa.table({"image": pa.array(pictures, kind), "label": pa.array(ids)})
            table = table.replace_schema_metadata({"huggingface": json.dumps({"info": {"features": about}})})
            pq.write_table(table, folder / "hub" / "data" / f"{split}-{part:05}-of-{parts:05}.parquet")
    return folder / "hub"


def test_a_table_names_pictures_and_their_classes(tmp_path: Path) -> None:
    found = source(listed(tmp_path), images="file", target="label")
    assert found.classes == ["dark", "light", "mid"]
    for split in found.splits.values():
        greys = [GREYS[found.classes[k]] for k in split.y]
        np.testing.assert_array_equal(split.x[:, 0, 0, 0], greys)
        assert split.rows is not None
        np.testing.assert_array_equal(split.y, [found.classes.index(list(GREYS)[row % 3]) for row in split.rows])


def test_labels_in_one_cell_and_columns_of_yes_and_no_are_outputs_of_their_own(tmp_path: Path) -> None:
    path = listed(tmp_path)
    tags = source(path, images="file", target="tags", label_separator="|")
    assert tags.targets == ["dark", "even", "light", "mid", "odd"]
    both = source(path, images="file", target=["dark", "odd"])
    assert both.targets == ["dark", "odd"]
    for dataset, odd in ((tags, 4), (both, 1)):
        assert dataset.classes is None
        for split in dataset.splits.values():
            assert split.rows is not None
            np.testing.assert_array_equal(split.y[:, odd], split.rows % 2)
            np.testing.assert_array_equal(split.y[:, 0], split.x[:, 0, 0, 0] == GREYS["dark"])


def test_hugging_face_files_are_read_as_they_are(tmp_path: Path) -> None:
    root = hugging_face(tmp_path)
    found = source(root)
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 24, "test": 12}
    assert "images: image, target: label (as its schema says" in found.notes[0]
    assert found.classes == ["dark", "light", "mid"]
    for split in found.splits.values():
        np.testing.assert_array_equal(split.x[:, 0, 0, 0], [GREYS[found.classes[k]] for k in split.y])
    cut = source(root, splits={"train": "train[:75%]", "validation": "train[75%:]", "test": "test"})
    assert {name: len(split) for name, split in cut.splits.items()} == {"train": 18, "validation": 6, "test": 12}
    one = source(root / "data" / "train-*.parquet", splits={"train": "50%", "test": "50%"})
    assert {name: len(split) for name, split in one.splits.items()} == {"train": 12, "test": 12}


def test_class_ids_of_a_table_get_their_names_and_minus_one_is_none(tmp_path: Path) -> None:
    about = {"info": {"features": {"kind": {"_type": "ClassLabel", "names": ["no", "yes"]}}}}
    table = pa.table({"a": [1.0, 2.0, 3.0, 4.0, 5.0], "kind": [0, 1, 0, 1, -1]})
    path = tmp_path / "t.parquet"
    pq.write_table(table.replace_schema_metadata({"huggingface": json.dumps(about)}), path)
    with pytest.raises(DataError, match="row 5, column 'kind': no value"):
        source(path, target="kind", splits={"train": "train"})
    found = source(path, target="kind", splits={"train": "train"}, missing="drop")
    assert found.classes == ["no", "yes"]
    pq.write_table(
        pa.table({"a": [1.0], "kind": [7]}).replace_schema_metadata({"huggingface": json.dumps(about)}), path
    )
    with pytest.raises(DataError, match="row 1, column 'kind': class 7, and its schema names 2"):
        source(path, target="kind", splits={"train": "train"})


@pytest.mark.parametrize("hub", [True, False])
def test_a_model_of_listed_pictures_is_measured_and_asked(hub: bool, tmp_path: Path) -> None:
    path = hugging_face(tmp_path) if hub else listed(tmp_path)
    more = "" if hub else ", images: file, target: label"
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{source: files, path: {path}{more}, transforms: [{{type: scale, by: 0.01}}]}}\n"
        "architecture: [flatten, {type: dense, units: 3, activation: softmax}]\n"
        "loss: sparse_categorical_crossentropy\noptimizer: {type: adam, learning_rate: 0.1}\n"
        "trainer: {epochs: 60, metrics: [accuracy]}\n"
    )
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    model = load(tmp_path / "run")
    table = path / "data" / "test-00000-of-00001.parquet" if hub else path
    told = evaluate_file(model, table)
    assert told["metrics"]["accuracy"] == 1
    names = list(GREYS)
    assert model.predict(table).tolist() == [names[i % 3] for i in range(told["samples"])]


def test_files_that_are_missing_or_damaged_are_named_all_at_once(tmp_path: Path) -> None:
    path = listed(tmp_path)
    (tmp_path / "shots" / "3.png").write_bytes(b"no")
    whole = (tmp_path / "shots" / "5.png").read_bytes()
    (tmp_path / "shots" / "5.png").write_bytes(whole[:50])
    with pytest.raises(
        DamagedFileError, match=r"(?s)3\.png: not an image.*5\.png: cannot be decoded.*dataset\.corrupt: skip"
    ):
        source(path, images="file", target="label")
    found = source(path, images="file", target="label", corrupt="skip")
    rows = np.concatenate([split.rows for split in found.splits.values() if split.rows is not None])
    assert sorted(rows) == [i for i in range(30) if i not in (3, 5)]
    assert "left out, as corrupt: skip says: " in found.notes[0]
    assert "5.png" in found.notes[0]
    again = source(path, images="file", target="label", corrupt="skip")  # from the cache
    assert again.notes == found.notes
    (tmp_path / "shots" / "7.png").unlink()
    with pytest.raises(DataError, match=r"no such files in .*: row 8: 'shots/7'"):
        source(path, images="file", target="label")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"images": "label"}, "column 'label' is both dataset.images and target"),
        ({"images": "file"}, "set dataset.target to the column of labels"),
        ({"images": "file", "target": "label", "window": 3}, "dataset.window means nothing for listed pictures"),
        ({"images": "nothing", "target": "label"}, "no column 'nothing'"),
        ({"images": "file", "target": ["dark", "odd"], "label_separator": "|"}, "parts the labels of one target"),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=said):
        source(listed(tmp_path), **({"target": "label"} if options == {"images": "label"} else {}), **options)
