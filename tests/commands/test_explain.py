"""`bp explain`: importance and dependence of a network that is known to the last weight, tokens that decide, pixels."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from backprop_cli.commands.explain import attributions, explain
from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load_run
from backprop_cli.config import load_config
from backprop_cli.errors import UsageError
from backprop_cli.insight.plots.saliency import saliency
from backprop_cli.insight.view import View
from backprop_cli.model.build import prepare
from backprop_cli.runs.directory import RunDirectory

ROOT = Path(__file__).parents[2]
LINEAR = """
dataset: {source: files, path: t.csv, target: y, splits: {train: 50%, validation: 50%}}
architecture: [{type: dense, units: 1, name: line}]
loss: mse
parameters: {line.W: [[3.0], [0.0], [2.0], [-2.0]], line.b: [1.0]}
trainer: {metrics: [mse]}
"""
TEXTS = """
dataset:
  source: files
  path: t.csv
  target: kind
  text: text
  splits: {train: 80%, validation: 20%}
  transforms: [{type: tokenize, length: 4}]
architecture:
  - {type: embedding, input_dim: 8, output_dim: 4}
  - flatten
  - {type: dense, units: 1, activation: sigmoid}
loss: binary_crossentropy
optimizer: {type: adam, learning_rate: 0.1}
trainer: {epochs: 30}
"""
DIGITS = """
dataset: {source: sample, name: digits, splits: {train: 80%, validation: 20%},
  transforms: [{type: scale, by: 0.0625}, {type: reshape, shape: [8, 8, 1]}]}
architecture: [{type: conv2d, filters: 2, kernel_size: 3}, flatten, {type: dense, units: 10, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""


def table(folder: Path) -> Path:
    """y is 3 a + 2 for a red thing, 3 a − 2 for a blue one, and has nothing to do with b."""
    rng = np.random.default_rng(0)
    a, b, red = rng.normal(size=400), rng.normal(size=400), rng.integers(0, 2, 400)
    rows = [f"{x},{z},{'red' if r else 'blue'},{3 * x + (4 * r - 2) + 1}" for x, z, r in zip(a, b, red, strict=True)]
    (folder / "t.csv").write_text("a,b,colour,y\n" + "\n".join(rows) + "\n")
    (folder / "c.yaml").write_text(LINEAR.replace("[2.0], [-2.0]", "[-2.0], [2.0]"))
    return folder / "c.yaml"


@pytest.mark.large
def test_a_line_is_explained_exactly(tmp_path: Path) -> None:
    made = prepare(load_config(table(tmp_path)))
    found = explain(made, "validation", columns=["a", "colour"], repeats=10)
    assert (found["metric"], found["samples"]) == ("mse", 200)
    assert found["value"] == pytest.approx(0, abs=1e-9)
    worse = {row["column"]: row["importance"] for row in found["importance"]}
    assert [row["column"] for row in found["importance"]] == ["a", "colour", "b"]
    x = made.dataset.splits["validation"].x
    assert worse["a"] == pytest.approx(2 * 9 * x[:, 0].var(), rel=0.1)  # E (w x − w x')² of two draws
    assert worse["colour"] == pytest.approx(2 * 16 * x[:, 2].var(), rel=0.1)
    assert worse["b"] == pytest.approx(0, abs=1e-9)
    curve = found["dependence"]["a"]
    values, means = (np.array([row[key] for row in curve]) for key in ("value", "y"))
    np.testing.assert_allclose(np.diff(means) / np.diff(values), 3, rtol=1e-4)
    (blue, red) = found["dependence"]["colour"]
    assert (blue["value"], red["value"]) == ("blue", "red")
    assert red["y"] - blue["y"] == pytest.approx(4, rel=1e-5)
    assert found == explain(made, "validation", columns=["a", "colour"], repeats=10)
    with pytest.raises(UsageError, match=r"--column c: no such column; the inputs have a, b, colour"):
        explain(made, "validation", columns=["c"])


def test_the_word_that_decides_weighs_most(tmp_path: Path) -> None:
    rows = [f"{w} {o},{k}" for i in range(20) for w, k in (("good", "yes"), ("bad", "no")) for o in ("film", "day")]
    (tmp_path / "t.csv").write_text("text,kind\n" + "\n".join(rows) + "\n")
    (tmp_path / "c.yaml").write_text(TEXTS)
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    made, _ = load_run(RunDirectory(tmp_path / "run"))
    found = attributions(made, "validation", 0)
    words = {each["token"]: each["weight"] for each in found["tokens"]}
    decides = ({*words} & {"good", "bad"}).pop()
    assert found["prediction"] == {"good": "yes", "bad": "no"}[decides]
    assert words[decides] > 0.2 > 0.1 > max(abs(w) for word, w in words.items() if word != decides)
    with pytest.raises(UsageError, match="there is no sample 99"):
        attributions(made, "validation", 99)


@pytest.mark.parametrize(("dtype", "weight"), [("float64", 1e-15), ("float32", 1e-8)])
def test_what_is_only_rounding_is_told_as_zero(tmp_path: Path, dtype: str, weight: float) -> None:
    small = [f"dtype={dtype}", f"parameters={{line.W: [[2.0], [{weight}], [-2.0], [2.0]], line.b: [1.0]}}"]
    made = prepare(load_config(table(tmp_path), small))
    told = explain(made, "validation", repeats=5)
    rows = {row["column"]: row for row in told["importance"]}
    assert told["value"] > 0.5
    assert (rows["b"]["importance"], rows["b"]["std"]) == (0.0, 0.0)
    assert rows["a"]["importance"] > 1


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    (folder / "c.yaml").write_text(DIGITS)
    train(load_config(folder / "c.yaml"), run_dir=folder / "run")
    return folder


def test_saliency_is_the_gradient(digits: Path) -> None:
    view = View(RunDirectory(digits / "run"))
    pictures, maps = saliency(view, "validation", np.array([3]))
    assert pictures.shape == maps.shape == (1, 8, 8)
    x, target = (each.copy() for each in view.examples("validation", slice(3, 4)))
    network, step = view.network, 1e-2
    for at in ((0, 4, 4, 0), (0, 2, 5, 0)):
        losses = []
        for side in (step, -step):
            moved = x.copy()
            moved[at] += side
            losses.append(network.loss(network.forward(moved, copy=False), target))
        assert abs(losses[0] - losses[1]) / (2 * step) == pytest.approx(maps[at[:3]], rel=0.05, abs=1e-3)


def test_as_a_command(bp, digits: Path, tmp_path: Path) -> None:
    run = str(digits / "run")
    done = bp("explain", run, "--sample", "3", "-o", "s.png")
    assert (done.code, done.out) == (0, "s.png\n"), done.err
    assert (tmp_path / "s.png").read_bytes()[:4] == b"\x89PNG"
    assert bp("explain", run, "--sample", "9999").code == 2
    train(load_config(table(tmp_path), ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    done = bp("explain", "run", "--column", "colour")
    assert done.code == 0, done.err
    assert "mean answer by colour" in done.out
    assert bp("explain", "run", "--sample", "1").code == 2


def test_the_columns_of_a_category_are_shuffled_together_and_parts_of_a_date_alone(tmp_path: Path) -> None:
    cfg = load_config(ROOT / "configs" / "flats.yaml", ["trainer.epochs=1"])
    made = prepare(cfg)
    told = explain(made, "validation", repeats=1, columns=["house", "quarter", "area"])
    assert {row["column"] for row in told["importance"]} == {
        *("area", "built", "quarter", "house", "balcony", "let.year", "let.month")
    }
    assert [row["value"] for row in told["dependence"]["house"]] == ["block", "house", "villa"]
    assert made.schema.table is not None
    assert [row["value"] for row in told["dependence"]["quarter"]] == made.schema.table.plans["quarter"].categories


def test_columns_of_windows_are_shuffled_whole(tmp_path: Path) -> None:
    rows = "".join(f"{t},{(t * 7919) % 101},{(t * 31) % 17}\n" for t in range(300))
    (tmp_path / "s.csv").write_text("t,a,b\n" + rows)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: s.csv, target: a, time: t, window: 2, features: [a, b]}\n"
        "architecture: [flatten, {type: dense, units: 1, name: line}]\nloss: mse\n"
        "parameters: {line.W: [[0.0], [0.0], [1.0], [0.0]], line.b: [0.0]}\n"
    )
    told = explain(prepare(load_config(tmp_path / "c.yaml")), "validation", repeats=3)
    assert {row["column"]: row["importance"] != 0 for row in told["importance"]} == {"a": True, "b": False}
    assert told["dependence"] == {}


def test_a_column_of_words_has_no_mean_answer(bp, tmp_path: Path) -> None:
    rows = "".join(f"{i % 7},{'good' if i % 2 else 'bad'} thing of {i % 3},{i % 2}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("a,note,y\n" + rows)
    text = LINEAR.replace("target: y,", "target: y, task: regression, columns: {note: {type: text, words: 8}},")
    (tmp_path / "c.yaml").write_text(text.replace(text[text.index("parameters") : text.index("trainer")], ""))
    assert bp("train", "c.yaml", "--quiet", "--set", "trainer.epochs=1", "--run-dir", "run").code == 0
    done = bp("explain", "run")
    assert done.code == 0, done.err
    assert "no mean answer by note" in done.out and "mean answer by a" in done.out


@pytest.mark.parametrize("scale", ["log", "quantile", "robust", "standard"])
def test_values_of_a_scaled_column_are_told_in_its_own_unit(bp, tmp_path: Path, scale: str) -> None:
    (tmp_path / "t.csv").write_text("a,y\n" + "".join(f"{i**2},{i + 0.5}\n" for i in range(1, 41)))
    scaled = f"target: y, columns: {{a: {{scale: {scale}}}}}"
    text = (
        "{dataset: {source: files, path: t.csv, %s, splits: {train: 100%%}}, architecture: [{type: dense, units: 1}], "
    )
    (tmp_path / "c.yaml").write_text(text % scaled + "loss: mse, trainer: {epochs: 1, metrics: [mae]}}")
    assert bp("train", "c.yaml", "--run-dir", "r").code == 0
    told = bp("explain", "r", "--split", "train", "--json").json["dependence"]["a"]
    np.testing.assert_allclose([told[0]["value"], told[-1]["value"]], [1, 1600], rtol=1e-5)
    groups = bp("eval", "r", "--split", "train", "--by", "a", "--json").json["by"]["a"]
    cuts = np.quantile(np.arange(1, 41) ** 2, [0, 0.25, 0.5, 0.75, 1])
    assert {row["group"] for row in groups} == {f"{a:.4g} to {b:.4g}" for a, b in pairwise(cuts)}


def test_values_of_a_date_are_dates(bp, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("day,y\n" + "".join(f"{i}.3.2024,{i + 0.5}\n" for i in range(1, 31)))
    text = "{dataset: {source: files, path: t.csv, target: y, splits: {train: 100%}, transforms: [standardize]}, "
    (tmp_path / "c.yaml").write_text(text + "architecture: [{type: dense, units: 1}], loss: mse, trainer: {epochs: 1}}")
    assert bp("train", "c.yaml", "--run-dir", "r").code == 0
    lines = bp("explain", "r", "--split", "train").out.partition("mean answer by day")[2].split()
    assert lines[2] == "2024-03-01" and "2024-03-30" in lines
