"""A file is read as its author meant it, or refused by row and value; prediction reads with the same readers."""

from __future__ import annotations

import gzip
import lzma
import random
import sqlite3
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import feather, parquet

from backprop_cli import registry
from backprop_cli.data.files.opened import arrow_input
from backprop_cli.data.inputs import read_inputs
from backprop_cli.data.settled import schema_of
from backprop_cli.errors import DataError, OptionError

CONFIG = """
dataset: {{source: files, path: t.csv, target: y, splits: {{train: 50%, validation: 50%}}{more}}}
architecture: [{{type: dense, units: 2, activation: softmax}}]
loss: sparse_categorical_crossentropy
trainer: {{epochs: 1}}
"""


def make(path, **options):
    options = {"source": "files", "target": "y", "splits": {"train": 1}, **options}
    if path is not None:
        options["path"] = Path(path)
    return registry.make("source", options, key="source")


def load(path, **options):
    return make(path, **options).load(0, Path("/nowhere"))


def write(folder, text, name="t.csv", encoding="utf-8"):
    (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode(encoding))
    return folder / name


def rows(dataset, split="train"):
    part = dataset.splits[split]
    return sorted((*x, *np.atleast_1d(y)) for x, y in zip(part.x.tolist(), part.y.tolist(), strict=True))


@pytest.mark.large
@pytest.mark.parametrize("between", ["\n", "\n\n", "\r\n"])
def test_texts_of_several_lines_in_a_file_of_any_size(tmp_path, between):
    """Arrow cuts a file into blocks of 1 MB, and must not cut within quotes."""
    rng = random.Random(0)
    words = ["good", "bad", "fine", "poor", "nice", "ugly", "warm", "cold"]

    def text():
        return " ".join(rng.choice(words) for _ in range(25))

    texts = [f"{text()}{between}{text()}" for _ in range(9000)]
    path = write(tmp_path, "s,y\n" + "".join(f'"{each}",{i % 2}\n' for i, each in enumerate(texts)))
    assert path.stat().st_size > 2 << 20
    found = load(path, text="s").splits["train"].x
    assert sorted(found.tolist()) == sorted(each.encode() for each in texts)
    ragged = write(tmp_path, path.read_bytes() + b"alone\n", "ragged.csv")
    line = path.read_bytes().count(b"\n") + 1
    with pytest.raises(DataError, match=rf"ragged\.csv:{line}: 1 value in a row, expected 2: 'alone'"):
        load(ragged, text="s")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_labels_are_read_in_the_encoding_they_were_written_in(tmp_path, encoding):
    path = write(
        tmp_path, "a,y\n" + "".join(f"{i},{'café' if i % 2 else 'thé'}\n" for i in range(20)), encoding=encoding
    )
    source = make(path)
    dataset = source.load(0, tmp_path)
    assert dataset.classes == ["café", "thé"]
    guessed = encoding in ("utf-16", "cp1252")
    assert source.encoding == (encoding if guessed else None)
    assert any(encoding in note for note in dataset.notes) == guessed
    if encoding == "cp1252":
        with pytest.raises(DataError, match=r"t\.csv:2: byte 0xe9 is not UTF-8"):
            load(path, encoding="utf-8")
        with pytest.raises(DataError, match="'utf-9' is unknown"):
            load(path, encoding="utf-9")


def test_a_file_in_no_encoding_names_its_line(tmp_path):
    with pytest.raises(DataError, match=r"t\.csv:3: byte 0x81 is not UTF-8, and the file is not cp1252 either"):
        load(write(tmp_path, b"a,y\n1,x\n2,\x81\n"))


def test_what_is_packed_is_unpacked_whatever_it_is_called(tmp_path):
    text = "a,y\n" + "".join(f"{i},{'no' if i % 2 else 'yes'}\n" for i in range(9))
    packed = gzip.compress(text.encode())
    for name in ("t.csv.gz", "t.csv"):
        assert len(load(write(tmp_path, packed, name)).splits["train"]) == 9
    assert schema_of(load(write(tmp_path, packed, "t.csv.gz"))).shape == (1,)
    known = schema_of(load(write(tmp_path, text, "plain.csv")))
    assert read_inputs(tmp_path / "t.csv.gz", known).x[:, 0].tolist() == list(range(9))
    with pytest.raises(DataError, match=r"t\.csv\.gz: damaged compressed file"):
        load(write(tmp_path, packed[:-20], "t.csv.gz"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1252"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress], ids=["plain", "gzip", "xz"])
def test_threads_of_arrow_are_given_nothing_of_python(tmp_path, encoding, pack):
    """They let go of it while Python ends, some time, and the process is aborted."""
    text = "größe,e\n" + "é,1\n" * 300_000
    path = write(tmp_path, pack(text.encode(encoding)), "t.csv")
    with arrow_input(path, encoding) as file:
        assert type(file) in (pa.OSFile, pa.BufferReader)
        assert file.read().decode() == text


def test_headings_are_read_as_rows_are(tmp_path):
    path = write(tmp_path, '\n\na,"size\n(cm)",y\n' + "".join(f"{i},{i % 3},{i % 2}\n" for i in range(20)))
    dataset = load(path)
    assert dataset.features == ["a", "size\n(cm)"]
    assert len(dataset.splits["train"]) == 20


def test_a_quote_that_is_not_closed_is_not_a_long_value(tmp_path):
    fine = "fine,0\nfine,1\n"
    path = write(tmp_path, "s,y\n" + fine * 10 + '"good,1\n' + fine * 4 + '"good,1\n' + fine * 10)
    for options in ({}, {"text": "s"}):
        with pytest.raises(DataError, match=r"row 21, column 's': a value of 10 lines that look like rows: 'good,1"):
            load(path, **options)
    path = write(tmp_path, "y,s\n" + "0,fine\n1,fine\n" * 10 + '1,"good\n' + "0,fine\n" * 4)
    with pytest.raises(DataError, match=r"row 21, column 's'"):
        load(path, text="s")


@pytest.mark.parametrize(
    ("cells", "value"),
    [
        (["1%", "2%", "45%", "3%"], "1%"),
        (["$9.00", "$8.50", "$7.25", "$1.00"], r"\$9.00"),
        (["9 €", "8 €", "7 €", "6 €"], "9 €"),
        (["1.5 kg", "2", "3", "4"], "1.5 kg"),
        (["1", "2", "12_00", "4"], "12_00"),
        (["1 kg", "2 kg", "2.5 kg", "40 kg"], "1 kg"),
        (["21°C", "19°C", "20°C", "18°C"], "21°C"),
        (["50km/h", "30km/h", "7km/h", "100km/h"], "50km/h"),
        (["(1)", "(2)", "(3)", "(4)"], r"\(1\)"),
    ],
)
def test_a_column_that_looks_like_numbers_is_no_category(tmp_path, cells, value):
    path = write(tmp_path, "a,y\n" + "".join(f"{cell},{i % 2}\n" for i, cell in enumerate(cells)))
    row = 1 + next(i for i, cell in enumerate(cells) if value.replace("\\", "") == cell)
    with pytest.raises(DataError, match=rf"row {row}, column 'a': '{value}'.*dataset\.categorical"):
        load(path)
    assert load(path, categorical=["a"]).features == [f"a={cell}" for cell in sorted(cells)]
    as_target = write(tmp_path, "y,a\n" + "".join(f"{cell},{i}\n" for i, cell in enumerate(cells)), "y.csv")
    with pytest.raises(DataError, match=rf"row {row}, column 'y': '{value}'"):
        load(as_target)
    assert len(load(as_target, task="classification").classes) == 4


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1,5", "2,25", "-3", "4,0"], [1.5, 2.25, -3, 4]),
        (["1.234,5", "2", "3", "4"], [1234.5, 2, 3, 4]),
        (["1 234", "12 345 678", "3", "4"], [1234, 12345678, 3, 4]),
        (["−1.5", "2", "3", "+4"], [-1.5, 2, 3, 4]),
        (["1_101", "1_102", "3", "4"], [1101, 1102, 3, 4]),
    ],
)
def test_numbers_are_read_in_the_writing_of_people(tmp_path, cells, values):
    path = write(tmp_path, "a;y\n" + "".join(f"{cell};{i % 2}\n" for i, cell in enumerate(cells)))
    dataset = load(path)
    assert sorted(dataset.splits["train"].x[:, 0]) == sorted(values)
    new = write(tmp_path, f"a;b\n{cells[0]};1\n", "new.csv")
    assert read_inputs(new, schema_of(dataset)).x.tolist() == [[values[0]]]


def test_a_number_that_prediction_cannot_read_is_named(tmp_path):
    known = schema_of(load(write(tmp_path, "a,y\n1.5,0\n2.5,1\n")))
    with pytest.raises(DataError, match=r"new\.csv, row 2, column 'a': 'oops'"):
        read_inputs(write(tmp_path, "a\n1\noops\n", "new.csv"), known)


def test_the_index_that_pandas_saves_is_no_feature(tmp_path):
    text = ",a,y\n" + "".join(f"{i},{(i * 35 % 100) / 100},{'no' if i < 25 else 'yes'}\n" for i in range(50))
    source = make(write(tmp_path, text))
    dataset = source.load(0, tmp_path)
    assert dataset.features == ["a"]
    assert "left out 'Unnamed: 0'" in "".join(dataset.notes)
    assert source.exclude == ["Unnamed: 0"]
    assert load(tmp_path / "t.csv", features=["Unnamed: 0", "a"]).features == ["Unnamed: 0", "a"]
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame({"a": [0.5, 1.5, 2.5], "y": [0, 1, 0]}, index=[4, 2, 9])
    frame.to_parquet(tmp_path / "t.parquet")
    assert load(tmp_path / "t.parquet").features == ["a"]
    frame.to_csv(tmp_path / "twice.csv")
    pandas.read_csv(tmp_path / "twice.csv").to_csv(tmp_path / "thrice.csv")
    assert load(tmp_path / "thrice.csv").features == ["a"]


def test_a_column_that_numbers_the_rows_is_said(tmp_path):
    path = write(tmp_path, "id,a,y\n" + "".join(f"{i + 1},{i * 7 % 5},{i % 2}\n" for i in range(30)))
    dataset = load(path)
    assert "'id' numbers the rows (1, 2, …)" in "".join(dataset.notes)
    assert load(path, exclude=["id"]).notes == []
    assert load(path, exclude=["id"]).features == ["a"]


def test_one_bad_label_is_the_one_that_is_named(tmp_path):
    write(tmp_path, "a,y\n1,0\n2,1\n3,0\n", "train.csv")
    write(tmp_path, "a,y\n1,0\n2,1\n3,x\n", "val.csv")
    both = {"train": tmp_path / "train.csv", "validation": tmp_path / "val.csv"}
    with pytest.raises(DataError, match=r"val\.csv, row 3: label 'x' never occurs in .*whose labels are 0, 1"):
        load(None, splits=both)
    write(tmp_path, "a,y\n1,0\n2,1\n3,x\n", "train.csv")
    write(tmp_path, "a,y\n1,0\n2,1\n3,0\n", "val.csv")
    with pytest.raises(DataError, match=r"train\.csv, row 3, column 'y': 'x' among numbers; .*task: classification"):
        load(None, splits=both)
    assert load(None, splits=both, task="classification").classes == ["0", "1", "x"]
    write(tmp_path, "a,y\n1,0.0\n2,1.0\n3,\n4,2.0\n", "train.csv")
    dataset = load(None, splits=both, task="classification", missing="drop")
    assert dataset.classes == ["0", "1", "2"]
    assert dataset.splits["validation"].y.tolist() == [0, 1, 0]
    dataset = load(tmp_path / "train.csv", missing="drop")
    assert "dataset.task: classification makes them classes" in "".join(dataset.notes)


def test_bytes_in_parquet_are_text(tmp_path):
    table = pa.table({"c": [b"p", b"q", b"p"], "y": pa.array([b"caf\xc3\xa9", b"the", b"the"], pa.large_binary())})
    parquet.write_table(table, tmp_path / "t.parquet")
    dataset = load(tmp_path / "t.parquet")
    assert (dataset.classes, dataset.features) == (["café", "the"], ["c=p", "c=q"])
    parquet.write_table(pa.table({"a": [1, 2], "y": [b"ok", b"\xff\xfe"]}), tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"column 'y', row 2: b'\\xff\\xfe' is not UTF-8 text"):
        load(tmp_path / "t.parquet")


def test_arrays_of_one_number_a_row(tmp_path):
    np.savez(tmp_path / "flat.npz", x=np.arange(20.0), y=np.arange(20) % 2)
    np.save(tmp_path / "x.npy", np.arange(20.0))
    np.save(tmp_path / "y.npy", np.array([b"no", b"yes"] * 10))
    for dataset in (load(tmp_path / "flat.npz", target=None), load(tmp_path / "x.npy", target="y.npy")):
        assert dataset.splits["train"].x.shape == (20, 1)
        assert sorted(dataset.splits["train"].x[:, 0]) == list(range(20))
    assert dataset.classes == ["no", "yes"]
    assert read_inputs(tmp_path / "flat.npz", schema_of(dataset)).x.shape == (20, 1)
    np.savez(tmp_path / "scalar.npz", x=np.ones((4, 3)), y=np.array(3))
    with pytest.raises(DataError, match=r"scalar\.npz: y is a single value, array\(3\); expected one entry a row"):
        load(tmp_path / "scalar.npz", target=None)
    np.savez(tmp_path / "scalar.npz", x=np.array(3))
    with pytest.raises(DataError, match=r"scalar\.npz: x is a single value"):
        read_inputs(tmp_path / "scalar.npz", schema_of(dataset))


def test_the_same_table_from_every_kind_of_file(tmp_path):
    table = pa.table(
        {
            "a": [1.5, None, 3.5, 4.5],
            "c": ["p", "q", "p", "q"],
            "d": [date(2024, 1, i + 1) for i in range(4)],
            "y": [0, 1, 0, 1],
        }
    )
    parquet.write_table(table, tmp_path / "t.parquet")
    feather.write_feather(table, tmp_path / "t.feather")
    write(tmp_path, "".join(f"{line}\n" for line in _json(table)), "t.jsonl")
    for suffix, module in (("sqlite", sqlite3), ("duckdb", pytest.importorskip("duckdb"))):
        with module.connect(str(tmp_path / f"t.{suffix}")) as connection:
            connection.execute("create table t (a double, c text, d text, y integer)")
            for row in table.to_pylist():
                connection.execute("insert into t values (?, ?, ?, ?)", [row["a"], row["c"], str(row["d"]), row["y"]])
            connection.commit()
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(table.column_names)
    for row in table.to_pylist():
        book.active.append(list(row.values()))
    book.save(tmp_path / "t.xlsx")
    day = (date(2024, 1, 1) - date(1970, 1, 1)).days
    wanted = [(1.5, 1, 0, day, 0), (19 / 6, 0, 1, day + 1, 1), (3.5, 1, 0, day + 2, 0), (4.5, 0, 1, day + 3, 1)]
    for suffix in ("parquet", "feather", "jsonl", "xlsx", "sqlite", "duckdb"):
        dataset = load(tmp_path / f"t.{suffix}", missing="mean")
        np.testing.assert_allclose(rows(dataset), sorted(wanted), err_msg=suffix)
        again = read_inputs(tmp_path / f"t.{suffix}", schema_of(dataset))
        np.testing.assert_allclose(sorted(map(tuple, again.x.tolist())), sorted(row[:-1] for row in wanted))


def _json(table):
    import json

    return [json.dumps(row, default=str) for row in table.to_pylist()]


def test_a_query_says_which_rows(tmp_path):
    with sqlite3.connect(tmp_path / "t.db") as connection:
        connection.execute("create table p (a, y)")
        connection.execute("create table q (a)")
        connection.executemany("insert into p values (?, ?)", [(i, i % 2) for i in range(10)])
    with pytest.raises(DataError, match=r"holds the tables p, q; say which rows: dataset\.query: SELECT"):
        load(tmp_path / "t.db")
    assert len(load(tmp_path / "t.db", query="SELECT a, y FROM p WHERE a < 6").splits["train"]) == 6
    with pytest.raises(OptionError, match="SQLite says: no such table: r"):
        load(tmp_path / "t.db", query="SELECT * FROM r")
    with pytest.raises(OptionError, match="SQLite says: attempt to write a readonly database"):
        load(tmp_path / "t.db", query="DROP TABLE p")
    with pytest.raises(DataError, match="file is not a database"):
        load(write(tmp_path, b"no database, but long enough to be looked at" * 9, "x.db"))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("t.csv", {"size": [2, 2]}, "dataset.size means nothing for tables"),
        ("t.csv", {"level": "word"}, "dataset.level means nothing for tables"),
        ("t.npz", {"features": ["a"]}, "dataset.features means nothing for arrays"),
        ("t.npz", {"missing": "mean"}, "dataset.missing means nothing for arrays"),
        ("t.txt", {}, "dataset.target means nothing for texts"),
        ("t.csv", {"categorical": ["b"], "features": ["a"]}, "column 'b' of dataset.categorical is no feature"),
        ("t.csv", {"exclude": ["bb"]}, "no column 'bb' .exclude.; .* did you mean 'b'"),
        ("t.csv", {"exclude": ["a"], "features": ["a"]}, "'a' is both in features and in exclude"),
        ("t.csv", {"text": "a", "features": ["b"]}, "dataset.features means nothing beside dataset.text"),
        ("t.csv", {"features": ["x", "z"]}, "no column 'x', 'z' .features."),
        ("t.csv", {"features": ["a", "a"]}, "dataset.features names column 'a' twice"),
        ("t.csv", {"target": ["b", "b"]}, "dataset.target names column 'b' twice"),
        ("t.csv", {"dates": {"c": "%Y"}}, "no column 'c' .dates."),
        ("t.csv", {"classes": ["0", "1", "0"]}, "classes names '0' twice"),
        *(
            ("t.csv", {role: "bb"}, f"no column 'bb' .{role}.; .* did you mean 'b'")
            for role in ("target", "group", "time", "sample_weight", "text")
        ),
        ("t.csv", {"target": None}, "set dataset.target to the column to predict"),
        ("t.csv", {"encoding": "utf8000"}, "'utf8000' is unknown"),
    ],
)
def test_an_option_that_does_not_fit_the_data_is_a_wrong_config(tmp_path, name, options, message):
    write(tmp_path, "a,b,y\n1,2,0\n3,4,1\n", "t.csv")
    write(tmp_path, "some text", "t.txt")
    np.savez(tmp_path / "t.npz", x=np.ones((4, 2)), y=np.zeros(4, int))
    target = {} if name == "t.npz" else {"target": "y"}
    with pytest.raises(DataError, match=message) as refused:
        load(tmp_path / name, **{"target": None, **target, **options})
    assert refused.value.exit_code == 2


@pytest.mark.long
def test_what_was_guessed_stands_in_the_run_and_is_said_once(bp, tmp_path):
    text = "Shops\n\n;a;when;town;y\n" + "".join(
        f"{i};{i % 9},5;{1 + i % 28:02}.03.2024;{'Köln' if i % 3 else 'Bonn'};{'ja' if i % 2 else 'nein'}\n"
        for i in range(40)
    )
    write(tmp_path, text, encoding="cp1252")
    (tmp_path / "c.yaml").write_text(CONFIG.format(more=""))
    done = bp("train", "c.yaml", "--run-dir", "r")
    assert done.code == 0, done.err
    assert "delimiter: ';'" in done.err and "left out 'Unnamed: 0'" in done.err
    written = (tmp_path / "r" / "config.yaml").read_text()
    for line in (
        "delimiter: ;",
        "decimal: ','",
        "encoding: cp1252",
        "skip_rows: 2",
        "exclude: ['Unnamed: 0']",
        "%d.%m.%Y",
    ):
        assert line in written
    again = bp("train", "r/config.yaml", "--run-dir", "again")
    assert again.code == 0, again.err
    assert "guessed" not in again.err and "left out" not in again.err
    assert (tmp_path / "again" / "config.yaml").read_text() == written
    sweep = ("sweep", "c.yaml", "--quiet", "--runs", "runs")
    assert bp(*sweep, "--set", "seed=0,1").code == 0
    more = bp(*sweep, "--set", "seed=0,1,2", "--resume")
    assert more.code == 0, more.err


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"a": "7", "y": 0}', """t.jsonl:4: column 'a': '7' is text, in line 1 it is a number"""),
        ('{"a": 7, "y": true}', """t.jsonl:4: column 'y': True is true or false, in line 1 it is a number"""),
        ('{"a": 7, "y":', """t.jsonl:4: '{"a": 7, "y":' is no JSON object"""),
        ("[7, 0]", "t.jsonl:4: '[7, 0]' is no JSON object"),
    ],
)
def test_an_odd_line_of_json_is_named_in_our_words(tmp_path, line, said):
    text = '{"a": 1, "y": 0}\n{"a": null, "y": 1}\n{"a": 2.5, "y": 1}\n' + line + "\n"
    with pytest.raises(DataError) as found:
        load(write(tmp_path, text, "t.jsonl"))
    assert said in str(found.value)
    assert "parse error" not in str(found.value)


def test_spaces_around_labels_and_categories_are_no_part_of_them(tmp_path):
    path = write(tmp_path, "a, b, y\n" + "1, red, yes\n2,red , no\n3,blue,yes \n4, blue,no\n")
    data = load(path)
    assert data.classes == ["no", "yes"]
    assert data.features == ["a", "b=blue", "b=red"]
    new = write(tmp_path, "a,b\n1,red \n2,blue\n", "new.csv")
    np.testing.assert_array_equal(read_inputs(new, schema_of(data)).x[:, 1:], [[0, 1], [1, 0]])
    with pytest.raises(DataError, match="row 2, column 'y': no value"):
        load(write(tmp_path, "a,y\n1,yes\n2,   \n3,no\n"))


def test_labels_that_begin_with_0_are_kept_as_they_are_written(tmp_path):
    path = write(tmp_path, "a,y\n" + "".join(f"{i},{('007', '12', '010')[i % 3]}\n" for i in range(12)))
    data = load(path)
    assert data.classes == ["007", "010", "12"]
    again = make(path).load(0, Path("/nowhere"), schema_of(data))
    assert again.classes == data.classes and rows(again) == rows(data)
    assert load(path, classes=["12", "010", "007"]).classes == ["12", "010", "007"]
    assert load(path, task="regression").splits["train"].y.max() == 12
