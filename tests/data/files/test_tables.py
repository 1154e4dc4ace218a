"""Tables: columns by name, categories, gaps, splits, and every mistake named with its row and column."""

import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from backprop_cli import registry
from backprop_cli.data.files.order import dealt
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.inputs import read_inputs
from backprop_cli.data.schema import Schema
from backprop_cli.data.settled import schema_of
from backprop_cli.errors import DataError

FLOWERS = "width,height,color,species\n" + "".join(
    f"{i}.5,{i * 2},{'red' if i % 3 else 'blue'},{'iris' if i % 2 else 'rose'}\n" for i in range(20)
)
WHOLE = {"train": "train"}


def load(path, seed=0, **options):
    options = {"source": "files", "target": "species", "splits": WHOLE, **options}
    if path is not None:
        options["path"] = Path(path)
    return registry.make("source", options, key="source").load(seed, Path("/nowhere"))


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def rows(dataset, split="train"):
    """Every row of x with its target, sorted: what is there, whatever the order."""
    part = dataset.splits[split]
    return sorted((*x, *np.atleast_1d(y)) for x, y in zip(part.x.tolist(), part.y.tolist(), strict=True))


@pytest.mark.parametrize("form", ["csv", "tsv", "parquet"])
def test_the_same_table_in_every_format(tmp_path, form):
    path = tmp_path / f"flowers.{form}"
    if form == "parquet":
        from pyarrow import csv

        parquet.write_table(csv.read_csv(write(tmp_path, "flowers.csv", FLOWERS)), path)
    else:
        path.write_text(FLOWERS.replace(",", "\t") if form == "tsv" else FLOWERS)
    dataset = load(path)
    assert dataset.classes == ["iris", "rose"]
    assert dataset.features == ["width", "height", "color=blue", "color=red"]
    expected = [(i + 0.5, i * 2, i % 3 == 0, i % 3 != 0, i % 2 == 0) for i in range(20)]
    assert rows(dataset) == sorted(expected)
    assert dataset.splits["train"].y.dtype == np.int64


def test_columns_are_chosen_by_name(tmp_path):
    path = write(tmp_path, "flowers.csv", FLOWERS)
    dataset = load(path, features=["height"], target="width")
    assert dataset.classes is None
    assert rows(dataset) == [(i * 2, i + 0.5) for i in range(20)]
    assert load(path, target=["width", "height"]).splits["train"].y.shape == (20, 2)


def test_categories_as_codes_for_an_embedding(tmp_path):
    path = write(tmp_path, "flowers.csv", FLOWERS)
    dataset = load(path, features=["color", "height"], categorical=["color", "height"], encoding="integer")
    x = dataset.splits["train"].x
    assert x.dtype == np.int64
    assert x.max(0).tolist() == [1, 19]
    assert dataset.features == ["color", "height"]


def test_integers_are_classes_unless_task_says_otherwise(tmp_path):
    path = write(tmp_path, "t.csv", "a,y\n" + "".join(f"{i},{3 + i % 3}\n" for i in range(9)))
    assert load(path, target="y").classes == ["3", "4", "5"]
    values = load(path, target="y", task="regression")
    assert values.classes is None
    assert sorted(values.splits["train"].y[:, 0]) == [3, 3, 3, 4, 4, 4, 5, 5, 5]


def test_a_file_without_header_has_numbered_columns(tmp_path):
    path = write(tmp_path, "t.csv", "1;2;a\n3;4;b\n")
    dataset = load(path, target="2", header=False, delimiter=";")
    assert rows(dataset) == [(1, 2, 0), (3, 4, 1)]


def test_free_text(tmp_path):
    path = write(tmp_path, "t.csv", 'review,stars\n"good, é",1\nbad,0\n')
    dataset = load(path, target="stars", text="review")
    texts = dict(zip(dataset.splits["train"].x.tolist(), dataset.splits["train"].y.tolist(), strict=True))
    assert texts == {"good, é".encode(): 1, b"bad": 0}


@given(n=st.integers(5, 200), seed=st.integers(0, 50), shares=st.lists(st.integers(1, 40), min_size=1, max_size=4))
@settings(deadline=None, max_examples=25)
def test_shares_cover_each_row_once_and_each_class_at_its_share(tmp_path_factory, n, seed, shares):
    total = sum(shares)
    folder = tmp_path_factory.mktemp("t")
    path = write(folder, "t.csv", "a,y\n" + "".join(f"{i},{'pqq'[i % 3]}\n" for i in range(n)))
    percent = {f"s{i}": f"{100 * share // total}%" for i, share in enumerate(shares)}
    percent = {name: value for name, value in percent.items() if float(value[:-1]) * n >= 100}
    dataset = load(path, seed=seed, target="y", splits=percent)
    drawn = np.concatenate([split.x[:, 0] for split in dataset.splits.values()])
    assert len(np.unique(drawn)) == len(drawn)
    for split in dataset.splits.values():
        ids = (split.x[:, 0].astype(int) % 3 > 0).astype(int)
        np.testing.assert_array_equal(ids, split.y)
        assert abs((split.y == 1).sum() - len(split) * 2 / 3) <= 2.5


@given(labels=st.lists(st.integers(0, 4), min_size=1, max_size=100), seed=st.integers(0, 9))
def test_dealt_is_a_permutation_that_spreads_classes(labels, seed):
    labels = np.array(labels)
    order = dealt(len(labels), labels, seed)
    assert sorted(order) == list(range(len(labels)))
    np.testing.assert_array_equal(order, dealt(len(labels), labels, seed))
    half = labels[order[: len(labels) // 2]]
    for label, count in zip(*np.unique(labels, return_counts=True), strict=True):
        assert abs((half == label).sum() - count / 2) <= 1 + len(np.unique(labels)) / 2


def test_default_splits_and_slices(tmp_path):
    path = write(tmp_path, "flowers.csv", FLOWERS)
    assert {k: len(v) for k, v in load(path, splits=None).splits.items()} == {"train": 14, "validation": 3, "test": 3}
    slices = load(path, splits={"train": "train[:75%]", "test": "train[75%:]"})
    assert {k: len(v) for k, v in slices.splits.items()} == {"train": 15, "test": 5}


def test_splits_by_file(tmp_path):
    write(tmp_path, "a.csv", FLOWERS)
    write(tmp_path, "b.csv", "species,color,height,width,more\nrose,red,1,2,3\n")
    dataset = load(tmp_path, splits={"train": "a.csv", "test": "b.csv"})
    assert rows(dataset, "test") == [(2, 1, 0, 1, 1)]
    assert len(dataset.splits["train"]) == 20


def test_the_mean_of_the_training_split_fills_gaps(tmp_path):
    write(tmp_path, "a.csv", "n,c,y\n1,p,0\n,p,1\n3,q,0\n")
    write(tmp_path, "b.csv", "n,c,y\n,,1\n100,q,1\n")
    dataset = load(tmp_path, target="y", missing="mean", splits={"train": "a.csv", "test": "b.csv"})
    assert rows(dataset) == [(1, 1, 0, 0), (2, 1, 0, 1), (3, 0, 1, 0)]
    assert rows(dataset, "test") == [(2, 1, 0, 1), (100, 0, 1, 1)]
    dropped = load(tmp_path / "a.csv", target="y", missing="drop")
    assert rows(dropped) == [(1, 1, 0, 0), (3, 0, 1, 0)]


def test_a_mean_is_not_that_of_the_validation_rows(tmp_path):
    path = write(tmp_path, "t.csv", "a,b,y\n" + "".join(f"{'' if i % 5 == 0 else i},{i},{i % 2}\n" for i in range(40)))
    dataset = load(path, target="y", missing="mean", splits={"train": "50%", "test": "50%"})
    train = dataset.splits["train"].x
    known = train[train[:, 1] % 5 != 0, 0]
    filled = [part.x[part.x[:, 1] % 5 == 0, 0] for part in dataset.splits.values()]
    np.testing.assert_allclose(np.concatenate(filled), known.mean())


def test_nan_in_parquet_is_a_gap(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": [1.0, float("nan"), 3.0], "y": [0, 1, 0]}), path)
    assert rows(load(path, target="y", missing="mean")) == [(1, 0), (2, 1), (3, 0)]
    with pytest.raises(DataError, match="row 2, column 'a': no value"):
        load(path, target="y")


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("a,y\n1,0\n2\n", {"target": "y"}, r"t\.csv:3: 1 value in a row, expected 2: '2'"),
        ("a,y\n1,0,9\n", {"target": "y"}, r"t\.csv:2: 3 values in a row, expected 2.*as R writes them"),
        ('a,y\n1,0\n2,0\n"3,0\n4,0\n', {"target": "y"}, r"t\.csv:4: 1 value .*; is a quote missing"),
        ("a,label\n1,0\n", {"target": "lable"}, "no column 'lable' .target.; .* did you mean 'label'"),
        ("a,label\n1,0\n", {"target": "a", "features": ["labl"]}, "no column 'labl' .features.*'label'"),
        ("1,2\n3,4\n", {"target": "y"}, "header: false"),
        ("a,y\n1,0\n", {"target": None}, "set dataset.target to the column to predict; the columns are a, y"),
        ("a,y\n1,0\n,1\n", {"target": "y"}, "row 2, column 'a': no value .a feature; 1 rows"),
        ("a,y\n1,0\n2,\n", {"target": "y", "missing": "mean"}, "row 2, column 'y': no value .the target"),
        ("a,y\n,0\n", {"target": "y", "missing": "drop"}, "every row lacks a value"),
        ("a,y\n1,0\ninf,1\n", {"target": "y"}, "row 2, column 'a': inf"),
        ("a,y\n1,0.5\n2,inf\n", {"target": "y"}, "row 2, column 'y': inf"),
        ("a,y\n", {"target": "y"}, "has no rows"),
        ("", {"target": "y"}, "empty; expected a line with the names"),
        ("a,a,y\n1,2,3\n", {"target": "y"}, "two columns are called 'a'"),
        ("a,y\n1,0\n", {"target": "y", "features": ["y"]}, "'y' is both feature and target"),
        ("y\n1\n", {"target": "y"}, "no column is left to learn from"),
        ("a,y\n1,x\n", {"target": "y", "task": "regression"}, "target y holds 'x'; expected numbers"),
        (
            "a,y\n" + "".join(f"name{i},0\n" for i in range(101)),
            {"target": "y"},
            "text column 'a' has 101 different values",
        ),
        ("a,y\n1,0\n2,1\n?,0\n", {"target": "y"}, r"row 3, column 'a': no value .*; \? is read as none"),
        ("a,y\n1,0\n2,1\noops,0\n", {"target": "y"}, r"t\.csv, row 3, column 'a': 'oops' among numbers"),
        ("a,y\n1,0\n2,0\n", {"target": "y", "splits": {"train": "1%", "test": "99%"}}, "split train: .* is empty"),
        ("a,y\n1,0\n2,0\n", {"target": "y", "splits": {"train": "80%", "test": "30%"}}, "add up to 110%"),
        (
            "a,y\n1,0\n2,0\n",
            {"target": "y", "splits": {"train": "train[:100%]", "test": "train[50%:]"}},
            "share 1 rows",
        ),
    ],
)
def test_mistakes_are_named(tmp_path, text, options, message):
    path = write(tmp_path, "t.csv", text)
    with pytest.raises(DataError, match=message):
        load(path, **options)


@pytest.mark.large
def test_a_ragged_row_far_down_is_named(tmp_path):
    path = write(tmp_path, "t.csv", "a,y\n" + "1.5,0\n" * 400_000 + "7\n" + "1.5,0\n" * 10)
    with pytest.raises(DataError, match=r"t\.csv:400002: 1 value in a row"):
        load(path, target="y")


def test_labels_and_categories_that_training_never_saw(tmp_path):
    write(tmp_path, "a.csv", "c,y\np,yes\nq,no\n")
    write(tmp_path, "label.csv", "c,y\np,yes\np,maybe\n")
    write(tmp_path, "category.csv", "c,y\np,yes\nr,no\n")
    with pytest.raises(DataError, match=r"label\.csv, row 2: label 'maybe' never occurs in .*a\.csv.* no, yes"):
        load(tmp_path, target="y", splits={"train": "a.csv", "test": "label.csv"})
    splits = {"train": "a.csv", "test": "category.csv"}
    with pytest.raises(DataError, match=r"category\.csv, row 2, column 'c': category 'r' never occurs.* p, q"):
        load(tmp_path, target="y", splits=splits, categories="integer")
    said = load(tmp_path, target="y", splits=splits)
    assert said.splits["test"].x.tolist() == [[1, 0], [0, 0]]
    assert any("'c': 1 value in categories that the training split has not learnt ('r')" in note for note in said.notes)
    with pytest.raises(DataError, match=r"splits train and test are both .*a\.csv"):
        load(tmp_path, target="y", splits={"train": "a.csv", "test": "a.csv"})


def test_a_class_that_only_the_test_split_got(tmp_path):
    path = write(tmp_path, "t.csv", "a,y\n" + "1,p\n" * 20 + "2,q\n")
    splits = {"train": "train[:50%]", "test": "train[50%:]"}
    outcomes = set()
    for seed in range(20):
        try:
            load(path, seed=seed, target="y", splits=splits)
            outcomes.add("in train")
        except DataError as error:
            outcomes.add(str(error).partition(";")[0])
    assert outcomes == {"in train", "split test has 1 row of class 'q', split train has none"}


def test_files_that_cannot_be_read(tmp_path):
    write(tmp_path, "data.csv", FLOWERS)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(DataError, match=r"no such file or folder; did you mean 'data\.csv'"):
        load(tmp_path / "dta.csv")
    with pytest.raises(DataError, match=r"folder\.csv: a folder; expected a file"):
        load(tmp_path / "folder.csv", format="csv")
    with pytest.raises(DataError, match="not a Parquet file, or a damaged one"):
        load(tmp_path / "bad.parquet")
    with pytest.raises(DataError, match="cannot tell the format"):
        load(write(tmp_path, "data.xyz", FLOWERS))
    with pytest.raises(DataError, match=r"dataset\.path is missing"):
        load(None, splits=None)


def test_a_damaged_parquet_file(tmp_path):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": np.arange(1000.0), "y": [0, 1] * 500}), path, compression="snappy")
    data = bytearray(path.read_bytes())
    data[4:400] = bytes(396)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"t\.parquet: damaged Parquet file"):
        load(path, target="y")


def test_no_permission(tmp_path):
    path = write(tmp_path, "t.csv", FLOWERS)
    path.chmod(0)
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)  # root may read anything
    try:
        with pytest.raises(DataError, match=r"t\.csv: (no permission|cannot read)"):
            load(path)
    finally:
        os.seteuid(user)


def test_prediction_reads_its_input_as_training_did(tmp_path):
    path = write(tmp_path, "a.csv", "n,c,y\n1,p,0\n,p,1\n3,q,0\n")
    dataset = load(path, target="y", missing="mean")
    known = Schema.model_validate_json(schema_of(dataset).model_dump_json())
    new = write(tmp_path, "new.csv", "id,c,n\n7,q,5\n8,p,\n")
    assert read_inputs(new, known).x.tolist() == [[5, 0, 1], [2, 1, 0]]
    with pytest.raises(DataError, match=r"no column 'n'"):
        read_inputs(write(tmp_path, "less.csv", "id,c\n7,q\n"), known)
    with pytest.raises(DataError, match=r"row 1, column 'c': category 'z' never occurs"):
        read_inputs(write(tmp_path, "odd.csv", "n,c\n7,z\n"), known)
    unseen = Unseen()
    assert read_inputs(tmp_path / "odd.csv", known, unseen=unseen).x.tolist() == [[7, 0, 0]]
    (note,) = unseen.notes("odd.csv")
    assert "column 'c': 1 value in categories" in note and "'z'" in note
    kept = read_inputs(new, known, ["id"])
    assert {name: column.to_pylist() for name, column in kept.kept.items()} == {"id": ["7", "8"]}


def test_prediction_from_a_table_for_a_network_trained_on_arrays(tmp_path):
    path = write(tmp_path, "t.csv", "b,a\n1,2\n3,4\n")
    arrays = Schema(shape=(2,), dtype="float64", target_shape=(), target_dtype="int64")
    by_name = arrays.model_copy(update={"features": ["a", "b"]})
    assert read_inputs(path, by_name).x.tolist() == [[2, 1], [4, 3]]
    assert read_inputs(path, arrays).x.tolist() == [[1, 2], [3, 4]]
    with pytest.raises(DataError, match=r"rows of shape \(2,\); the network was trained on rows of shape \(3,\)"):
        read_inputs(path, arrays.model_copy(update={"shape": (3,)}))


def test_columns_that_cannot_be_a_target_or_a_weight_are_named(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,y,town\n" + "".join(f"{i},{2 * i},Köln\n" for i in range(20)), encoding="utf-8")
    source = {"source": "files", "path": str(tmp_path / "t.csv")}
    for options, said in (
        ({"target": ["y", "town"]}, "target town holds 'Köln'; expected numbers"),
        ({"target": "y", "sample_weight": "y"}, "sample_weight and target are both 'y'; expected two columns"),
        ({"target": ["y", "a"], "sample_weight": "a"}, "sample_weight and target are both 'a'; expected two columns"),
    ):
        with pytest.raises(DataError, match=said):
            registry.make("source", {**source, **options}, key="source").load(0, tmp_path)
