"""`bp predict`: the rows of a file, through the transforms of the training."""

from __future__ import annotations

import csv
import io
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from backprop_cli.commands.answers import Answers, Csv, json_lines
from backprop_cli.commands.predict import Wishes, predict
from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load
from backprop_cli.config import load_config
from backprop_cli.errors import DataError, UsageError

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


def test_one_row_waits_for_no_library_that_it_does_not_need(bp, flowers: Path) -> None:
    """Each of these takes as long to import as all the rest."""
    assert bp("train", "flowers.yaml", "--quiet", "--run-dir", "run").code == 0
    (flowers / "new.csv").write_text("height,width\n101,1.02\n")
    program = (
        "import sys; from backprop_cli.cli.main import run; code = run(['predict', 'run', 'new.csv'], False); "
        "print(sorted({'pandas', 'pyarrow.compute', 'rich', 'h5py', 'onnx', 'PIL'} & set(sys.modules))); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=flowers, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[2:]) == (0, ["[]"]), done.stderr


@pytest.mark.parametrize("row", [r'{"height": 1, "width": "\ud800"}', r'{"height": 1, "width": 2, "\ud800": 3}'])
@pytest.mark.parametrize("name", ["new.json", "new.jsonl"])
def test_half_of_a_character_is_a_line(flowers: Path, row: str, name: str) -> None:
    """JSON can say it, and no text can hold it."""
    train(load_config(flowers / "flowers.yaml", ["trainer.epochs=1"]), run_dir=flowers / "run")
    (flowers / name).write_text(f"[{row}]" if name == "new.json" else row + "\n")
    with pytest.raises(DataError, match="which is half of a character"):
        load(flowers / "run").predict(flowers / name)


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


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on flowers of three colours, with some heights missing."""
    folder = tmp_path_factory.mktemp("flowers")
    rng = np.random.default_rng(1)
    rows = [("short", 1.0, 100.0, "red"), ("long", 2.0, 300.0, "blue"), ("wide", 4.0, 200.0, "white")] * 20
    lines = [f"{kind},{w + rng.normal(0, 0.05):.3f},{h + rng.normal():.2f},{c}" for kind, w, h, c in rows]
    (folder / "flowers.csv").write_text("kind,width,height,colour\n" + "\n".join(lines) + "\n")
    config = CONFIG.replace("units: 2", "units: 3").replace("target: kind", "target: kind\n  missing: mean")
    (folder / "c.yaml").write_text(config)
    train(load_config(folder / "c.yaml"), run_dir=folder / "run")
    return folder / "run"


NEW = "id,colour,height,width\n7,red,101,1.0\n8,blue,,2.0\n9,green,200,4.1\n"


@pytest.fixture
def new(tmp_path: Path) -> Path:
    (tmp_path / "new.csv").write_text(NEW)
    return tmp_path / "new.csv"


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def answer(run: Path, *sources: Path | str, **wishes: Any) -> tuple[list[dict[str, str]], list[str]]:
    """The CSV that `bp predict` writes, and what it warns of."""
    said: list[str] = []
    write = Csv()
    blocks = predict(load(run), sources, Wishes(**wishes), warn=said.append)
    return table("".join(map(write, blocks))), said


def test_rows_keep_their_ids_and_unseen_categories_are_said_once(run: Path, new: Path) -> None:
    rows, said = answer(run, new, keep=["id"])
    assert [(row["id"], row["prediction"]) for row in rows] == [("7", "short"), ("8", "long"), ("9", "wide")]
    assert list(rows[0]) == ["id", "prediction", "p(long)", "p(short)", "p(wide)"]
    assert len(said) == 1 and "1 value in categories that the model has not learnt ('green')" in said[0]
    with pytest.raises(DataError, match=r"row 3, column 'colour': category 'green' never occurs"):
        answer(run, new, strict=True)


def test_several_files_are_told_apart(run: Path, new: Path, tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("width,height,colour\n1,100,red\n")
    rows, _ = answer(run, new, tmp_path / "more.csv", proba=False)
    assert [(row["file"], row["row"]) for row in rows] == [
        *((str(new), str(i)) for i in range(3)),
        (str(tmp_path / "more.csv"), "0"),
    ]
    assert list(rows[0]) == ["file", "row", "prediction"]


def test_the_likeliest_classes(run: Path, new: Path) -> None:
    rows, _ = answer(run, new, top=2)
    assert list(rows[0]) == ["row", "top1", "p(top1)", "top2", "p(top2)"]
    assert rows[0]["top1"] == "short" and float(rows[0]["p(top1)"]) >= float(rows[0]["p(top2)"])
    with pytest.raises(
        UsageError, match="--threshold sets the probability for yes, and the outputs of this model are one"
    ):
        answer(run, new, threshold=0.3)


@pytest.mark.parametrize(
    ("loss", "last"), [("binary_crossentropy", "sigmoid"), ("{type: binary_crossentropy, from_logits: true}", "linear")]
)
def test_a_threshold_is_a_probability_whatever_the_outputs_are(tmp_path: Path, loss: str, last: str) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{v:.4f},{'yes' if v > 0 else 'no'}" for v in rng.normal(size=200)]
    (tmp_path / "d.csv").write_text("v,y\n" + "\n".join(rows) + "\n")
    result = train(
        {
            "dataset": {"source": "files", "path": str(tmp_path / "d.csv"), "target": "y"},
            "architecture": [{"type": "dense", "units": 1, "activation": last}],
            "loss": {"type": "binary_crossentropy", "from_logits": True} if last == "linear" else loss,
            "trainer": {"epochs": 3},
        },
        run_dir=tmp_path / "run",
    )
    (tmp_path / "new.csv").write_text("v\n" + "\n".join(f"{v:.3f}" for v in np.linspace(-2, 2, 41)) + "\n")
    run = Path(result["run_dir"])
    plain, _ = answer(run, tmp_path / "new.csv", proba=True)
    shares = [float(row["p(yes)"]) for row in plain]
    assert all(0 <= p <= 1 for p in shares) and min(shares) < 0.4 < 0.6 < max(shares)
    for threshold in (0.4, 0.5, 0.6):
        rows, _ = answer(run, tmp_path / "new.csv", threshold=threshold)
        assert [row["prediction"] for row in rows] == ["yes" if p > threshold else "no" for p in shares]
    with pytest.raises(UsageError, match="expected a probability"):
        answer(run, tmp_path / "new.csv", threshold=1.5)
    with pytest.raises(UsageError, match="--top chooses among classes"):
        answer(run, tmp_path / "new.csv", top=2)


def test_values_are_called_as_their_targets(tmp_path: Path) -> None:
    rows = [f"{i},{3 * i + 1},{i * i}" for i in range(40)]
    (tmp_path / "d.csv").write_text("size,price,rooms\n" + "\n".join(rows) + "\n")
    for targets, heads in (["price"], ["row", "price"]), (["price", "rooms"], ["row", "price", "rooms"]):
        config = {
            "dataset": {
                "source": "files",
                "path": str(tmp_path / "d.csv"),
                "target": targets,
                "features": ["size"],
                "task": "regression",
            },
            "architecture": [{"type": "dense", "units": len(targets)}],
            "loss": "mse",
            "trainer": {"epochs": 1},
        }
        run = Path(train(config, run_dir=tmp_path / f"run{len(targets)}")["run_dir"])
        (tmp_path / "new.csv").write_text("size\n1\n2\n")
        found, _ = answer(run, tmp_path / "new.csv")
        assert list(found[0]) == heads
        for wish in ({"proba": True}, {"top": 1}, {"threshold": 0.1}):
            with pytest.raises(UsageError, match="outputs of this model are values"):
                answer(run, tmp_path / "new.csv", **wish)


def streamed(run: Path, text: bytes, **wishes: Any) -> list[Answers]:
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    try:
        return list(predict(load(run), ["-"], Wishes(**wishes), stdin=reader))
    finally:
        os.close(reader)


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_a_stream_is_answered_as_the_file_is(run: Path, new: Path, kind: str) -> None:
    whole, _ = answer(run, new, keep=["id"])
    text = NEW
    if kind == "json":
        text = "".join(json.dumps({key: value or None for key, value in row.items()}) + "\n" for row in table(NEW))
    blocks = streamed(run, text.encode(), keep=["id"])
    assert [block.form for block in blocks] == [kind] * len(blocks)
    assert table("".join(map(Csv(), blocks))) == whole
    lines = [json.loads(line) for block in blocks for line in json_lines(block).splitlines()]
    assert [(line["id"], line["prediction"]) for line in lines] == [(row["id"], row["prediction"]) for row in whole]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "empty"),
        (b"width,height\n1,2\n", "no column 'colour'"),
        (b"width,height,colour\n1,2,red\n1,2\n", "row 2: 2 values, expected 3"),
        (b"width,height,colour\nx,2,red\n", "row 1, column 'width': 'x'; expected a number"),
        (b"width,height,colour\n1,2,\xff\n", "standard input:2: byte 0xff is not UTF-8"),
        (b'{"width": 1, "height": 2, "colour": "red"}\n{"width": \n', "standard input:2: not JSON"),
        (b"[1]\n", "expected objects"),
        (b'{"width": true}\n', "no column"),
    ],
)
def test_a_stream_that_cannot_be_read_says_where(run: Path, text: bytes, said: str) -> None:
    with pytest.raises(DataError) as caught:
        streamed(run, text)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_quoted_line_ends_in_a_stream(run: Path) -> None:
    text = 'id,width,height,colour\n"a\nb",1,100,"red"\n"say ""c""",2,300,blue\n'
    (block,) = streamed(run, text.encode(), keep=["id"])
    assert block.kept["id"] == ["a\nb", 'say "c"']


@pytest.mark.parametrize("start", [b"", b"1,2,red\n"])
def test_a_value_of_a_stream_is_not_endless(run: Path, tmp_path: Path, start: bytes) -> None:
    """More than the reader takes: a quote that is not closed, most likely."""
    (tmp_path / "long").write_bytes(b"width,height,colour\n" + start + b"1,2," + b"x" * 200_000 + b"\n")
    with (tmp_path / "long").open("rb") as file, pytest.raises(DataError, match="a value of more than 128 KiB"):
        list(predict(load(run), ["-"], Wishes(), stdin=file.fileno()))


@pytest.mark.parametrize("sign", ["\u2028", "\x0b", "\x0c", "\x1c", "\x85"])
def test_only_line_ends_end_a_row_of_a_stream(run: Path, sign: str) -> None:
    """Not what Unicode and `str.splitlines` count among them, as a file of tables has it, too."""
    (block,) = streamed(run, f"id,width,height,colour\na{sign}b,1,100,red\r\n".encode(), keep=["id"])
    assert block.kept["id"] == [f"a{sign}b"]
    record = json.dumps({"id": f"a{sign}b", "width": 1, "height": 100, "colour": "red"}, ensure_ascii=False)
    (block,) = streamed(run, f"{record}\r\n".encode(), keep=["id"])
    assert block.kept["id"] == [f"a{sign}b"]


@pytest.mark.process
def test_a_row_is_answered_before_the_next_one_comes(run: Path) -> None:
    command = [sys.executable, "-m", "backprop_cli", "predict", str(run), "-", "--no-proba"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as bp:
        assert bp.stdin is not None and bp.stdout is not None
        bp.stdin.write("width,height,colour\n1,100,red\n")
        bp.stdin.flush()
        assert [bp.stdout.readline(), bp.stdout.readline()] == ["row,prediction\n", "0,short\n"]
        bp.stdin.write("4,200,white\n")
        bp.stdin.flush()
        assert bp.stdout.readline() == "1,wide\n"
        bp.stdin.close()
    assert bp.returncode == 0


@pytest.mark.long
def test_every_form_of_output(run: Path, new: Path, tmp_path: Path, bp: Any) -> None:
    for ending in ("csv", "jsonl", "json", "npy"):
        done = bp("predict", run, new, "--keep", "id", "-o", f"out.{ending}")
        assert done.code == 0 and done.out == f"out.{ending}\n"
    rows = table((tmp_path / "out.csv").read_text())
    lines = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    document = json.loads((tmp_path / "out.json").read_text())
    assert document.keys() >= {"run_id", "samples", "classes", "predictions", "outputs", "columns"}
    assert [row["prediction"] for row in rows] == [line["prediction"] for line in lines] == document["predictions"]
    assert document["kept"] == {"id": ["7", "8", "9"]} and document["columns"] == ["p(long)", "p(short)", "p(wide)"]
    assert np.allclose(np.load(tmp_path / "out.npy"), document["outputs"])
    assert bp("predict", run, new, "--keep", "id", "--json").json == document


def test_nothing_is_half_written(run: Path, new: Path, tmp_path: Path, bp: Any) -> None:
    (tmp_path / "bad.csv").write_text("width,height,colour\n1,x,red\n")
    done = bp("predict", run, new, "bad.csv", "-o", "out.csv")
    assert done.code == 1 and "bad.csv, row 1, column 'height': 'x'" in done.err
    assert not (tmp_path / "out.csv").exists() and not list(tmp_path.glob(".out*"))
    assert bp("predict", run, new, "bad.csv").out == ""
    assert bp("predict", run, new, "-o", "out.xls").code == 2
    assert bp("predict", run, "-", "new.csv").code == 2


def test_pictures_are_named(tmp_path: Path) -> None:
    for split, count in (("train", 4), ("test", 2)):
        for kind, grey in (("cat", 60), ("dog", 190)):
            for i in range(count):
                path = tmp_path / "pics" / split / kind / f"{i}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (4, 4), grey + i).save(path)
    config = {
        "dataset": {"source": "files", "path": str(tmp_path / "pics")},
        "architecture": ["flatten", {"type": "dense", "units": 2, "activation": "softmax"}],
        "loss": "cross_entropy",
        "trainer": {"epochs": 1},
    }
    run = Path(train(config, run_dir=tmp_path / "run")["run_dir"])
    shutil.copytree(tmp_path / "pics" / "test" / "cat", tmp_path / "new" / "sub")
    Image.new("L", (4, 4), 9).save(tmp_path / "new" / "10.png")
    rows, _ = answer(run, tmp_path / "new")
    assert [row["file"] for row in rows] == ["10.png", "sub/0.png", "sub/1.png"] and "row" not in rows[0]
    Image.new("L", (5, 4), 9).save(tmp_path / "large.png")
    with pytest.raises(DataError, match=r"large\.png: 4 × 5 pixels|large\.png: "):
        answer(run, tmp_path / "large.png")


@pytest.mark.long
@pytest.mark.process
def test_a_stream_takes_the_same_memory_however_long_it_is(run: Path, tmp_path: Path) -> None:
    peaks = []
    for rows in (20_000, 200_000):
        source = tmp_path / f"{rows}.csv"
        source.write_text("width,height,colour\n" + "1.5,100,red\n" * rows)
        code = "import sys; from backprop_cli.cli.main import run; run(sys.argv[1:], False); "
        code += "status = open('/proc/self/status').read(); "  # ru_maxrss would count the process that started this one
        code += "print(status.partition('VmHWM:')[2].split()[0], file=sys.stderr)"
        command = [sys.executable, "-c", code, "predict", str(run), "-"]
        with source.open() as stdin:
            done = subprocess.run(command, stdin=stdin, capture_output=True, text=True, check=True)
        assert done.stdout.count("\n") == rows + 1
        peaks.append(int(done.stderr.split()[-1]))
    assert peaks[1] - peaks[0] < 16_000, f"{peaks} KiB"  # the rows are 2.4 MB, and their answers 7 MB


@pytest.mark.process
def test_a_model_and_one_row_need_little_of_python(run: Path) -> None:
    code = (
        "import sys; from backprop_cli import load\n"
        f"model = load({str(run)!r}); model.outputs([[1.0] * 5]); print(*sys.modules)"
    )
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pyarrow", "matplotlib", "rich", "typer", "h5py", "tensorflow_datasets", "numba", "scipy", "onnx"}
    assert not heavy & set(modules)
    assert sum(name.startswith("backprop_cli.engine.layers.") for name in modules) < 10


def test_no_heading_stands_for_two_columns(tmp_path: Path, bp: Any) -> None:
    """A target called as a column that is kept, or as what numbers the rows: nothing gets lost in CSV or JSON lines."""
    table = "a,row,price\n" + "".join(f"{i},{i + 0.5},{2 * i + 0.25}\n" for i in range(8))
    (tmp_path / "d.csv").write_text(table)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: d.csv, target: [row, price]}\n"
        "architecture: [{type: dense, units: 2}]\nloss: mse\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "r", "--quiet").code == 0
    heads = bp("predict", "r", "d.csv").out.splitlines()[0]
    assert heads == "row,predicted row,price"
    kept = bp("predict", "r", "d.csv", "--keep", "price", "-o", "o.jsonl")
    assert kept.code == 0, kept.err
    first = json.loads((tmp_path / "o.jsonl").read_text().splitlines()[0])
    assert list(first) == ["price", "row", "predicted price"] and first["price"] == "0.25"


def test_pictures_of_several_folders_are_told_apart(tmp_path: Path, bp: Any) -> None:
    for kind, grey in (("cat", 60), ("dog", 190)):
        for i in range(4):
            path = tmp_path / "pics" / kind / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), grey + i).save(path)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: pics}\narchitecture: [flatten, {type: dense, units: 2, activation: softmax}]\n"
        "loss: cross_entropy\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    done = bp("predict", "run", "pics/cat/1.png", "pics/dog/1.png", "pics/dog", "--no-proba")
    names = [line.split(",")[0] for line in done.out.splitlines()]
    assert names == ["file", "pics/cat/1.png", "pics/dog/1.png", *(f"pics/dog/{i}.png" for i in range(4))]
    Image.new("L", (9, 4), 9).save(tmp_path / "wide.png")
    assert "wide.png: 4 × 9 pixels, the network was trained on 4 × 4; resize it" in bp("predict", "run", "wide.png").err
    (tmp_path / "t.csv").write_text("a,b\n1,x\n")
    said = "t.csv: a table, but the network was trained on images of shape (4, 4, 1)"
    assert said in bp("predict", "run", "t.csv").err


ODD = "id|day|width|kind\n" + "".join(f"007{i}|{i + 1:02}.03.2024|{i},50|{'ab'[i % 2]}\n" for i in range(12))


@pytest.fixture
def odd(tmp_path: Path, bp: Any) -> Path:
    """A model of a table with |, decimal commas, days as in Germany, and -- for what is missing."""
    (tmp_path / "odd.csv").write_text(ODD + "0099|31.03.2024|--|a\n")
    (tmp_path / "odd.yaml").write_text(
        "dataset: {source: files, path: odd.csv, target: kind, exclude: [id], missing: mean, na_values: ['--'],"
        " columns: {day: {type: date}}}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\nloss: cross_entropy\ntrainer: {epochs: 1}\n"
    )
    done = bp("train", "odd.yaml", "--run-dir", "run", "--quiet")
    assert done.code == 0, done.err
    return tmp_path / "run"


def test_what_is_kept_is_kept_as_it_is_written(odd: Path, bp: Any) -> None:
    """Also columns that the model reads as numbers and days."""
    lines = bp("predict", "run", "odd.csv", "--keep", "id,day,width", "--no-proba").out.splitlines()
    assert lines[1].startswith('0070,01.03.2024,"0,50",') and lines[-1].startswith("0099,31.03.2024,,")


def test_a_stream_is_read_as_the_training_data_were(odd: Path, bp: Any, tmp_path: Path) -> None:
    text = (tmp_path / "odd.csv").read_text()
    blocks = streamed(odd, text.encode(), keep=["day"])
    assert table("".join(map(Csv(), blocks))) == table(bp("predict", "run", "odd.csv", "--keep", "day").out)
    with pytest.raises(DataError, match="standard input: two columns are called 'width'"):
        streamed(odd, b"day|width|width\n01.03.2024|1|2\n")
    with pytest.raises(DataError, match=r"column 'day': 'soon' is no date|'soon'; expected a date"):
        streamed(odd, b"day|width\nsoon|1\n")


def test_a_stream_without_names_where_training_had_none(tmp_path: Path, bp: Any) -> None:
    (tmp_path / "d.csv").write_text("".join(f"{i},{i * i},{'ab'[i % 2]}\n" for i in range(20)))
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: d.csv, target: '2', header: false}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\nloss: cross_entropy\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    for text in (b"3,9\n4,16\n", b"1,0\n9,3\n16,4\n"):
        (block,) = streamed(tmp_path / "run", text)
        assert np.allclose(block.outputs, load(tmp_path / "run").outputs([[3.0, 9], [4, 16]]))


@pytest.mark.parametrize("ending", ["parquet", "feather", "jsonl", "csv", "xlsx"])
def test_dates_are_kept_in_every_form(ending: str, tmp_path: Path, bp: Any) -> None:
    """Whether the model reads them or not; pandas writes them into JSON with milliseconds."""
    days = pd.to_datetime([f"2024-03-{day:02}T12:30" for day in range(1, 21)])
    frame = pd.DataFrame({"seen": days, "born": days, "x": [0.5, 1] * 10, "kind": ["a", "b"] * 10})
    frame.to_csv(tmp_path / "t.csv", index=False)
    if ending == "jsonl":
        frame.to_json(tmp_path / "new.jsonl", orient="records", lines=True, date_format="iso")
    elif ending == "xlsx":
        frame.to_excel(tmp_path / "new.xlsx", index=False)
    else:
        getattr(frame, f"to_{ending}")(tmp_path / f"new.{ending}", **({"index": False} if ending == "csv" else {}))
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: t.csv, target: kind, exclude: [seen], columns: {born: {parts: [day, hour]}}}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\nloss: cross_entropy\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    done = bp("predict", "run", f"new.{ending}", "--keep", "seen,born", "--json")
    assert done.code == 0, done.err
    for name in ("seen", "born"):
        assert done.json["kept"][name][-1].startswith(("2024-03-20 12:30", "2024-03-20T12:30"))
    assert np.allclose(done.json["outputs"], load(tmp_path / "run").outputs(tmp_path / "t.csv"))
