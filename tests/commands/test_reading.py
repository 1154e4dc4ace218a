"""predict, eval, plots and reports say the same of the same outputs: each case here is trained and read by all."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.commands.answers import Csv, document
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.predict import predict as answers
from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load
from backprop_cli.config import load_config
from backprop_cli.errors import ConfigError
from backprop_cli.insight.report.mistakes import mistakes
from backprop_cli.insight.view import View
from backprop_cli.runs.directory import RunDirectory

SCORES = "score,y\n" + "".join(f"{x},{'yes' if x > 0.1 else 'no'}\n" for x in (-2, -1, -0.2, 0.2, 0.3, 0.4, 1, 2))
LOGIT = """
dataset: {source: files, target: y, splits: {train: d.csv}}
architecture: [{type: dense, units: 1}]
parameters: {dense_1.W: [[1.0]], dense_1.b: [0.0]}
loss: %s
optimizer: {type: sgd, learning_rate: 0}
trainer: {epochs: 1, metrics: [accuracy]}
"""
UNTRAINED = """
dataset: {source: files, %s}
architecture: [%s]
loss: %s
optimizer: {type: sgd, learning_rate: 0}
trainer: {epochs: 1}
"""


def trained(folder: Path, text: str, **files: Any) -> RunDirectory:
    for name, content in files.items():
        if isinstance(content, str):
            (folder / f"{name}.csv").write_text(content)
        else:
            np.savez(folder / f"{name}.npz", **content)
    (folder / "c.yaml").write_text(text)
    return RunDirectory(Path(train(load_config(folder / "c.yaml"), run_dir=folder / "run")["run_dir"]))


def predict(run: RunDirectory, path: Path) -> dict[str, Any]:
    model = load(run.path)
    return document(model, answers(model, [path]))


def rows(run: RunDirectory, path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO("".join(map(Csv(), answers(load(run.path), [path]))))))


@pytest.mark.parametrize(
    "loss",
    [
        "{type: binary_crossentropy, from_logits: true}",
        "{type: binary_focal_crossentropy, from_logits: true}",
        "hinge",
        "squared_hinge",
    ],
)
def test_of_a_single_score_yes_lies_above_0_everywhere(tmp_path: Path, loss: str) -> None:
    run = trained(tmp_path, LOGIT % loss, d=SCORES)
    result = predict(run, tmp_path / "d.csv")
    assert result["predictions"] == ["no"] * 3 + ["yes"] * 5
    evaluated = evaluate_run(run, "train")
    assert evaluated["metrics"]["accuracy"] == 1
    assert evaluated["confusion_matrix"] == [[3, 0], [0, 5]]
    view = View(run)
    assert view.answers("train").accuracy == 1
    assert mistakes(view, view.answers("train")) == []


def test_several_values_have_a_column_each_named_by_its_target(tmp_path: Path) -> None:
    table = "a,r1,r2\n" + "".join(f"{i},{2.5 * i},{-i - 0.5}\n" for i in range(8))
    layers = "{type: dense, units: 2}"
    run = trained(tmp_path, UNTRAINED % ("path: d.csv, target: [r1, r2]", layers, "mse"), d=table)
    result = predict(run, tmp_path / "d.csv")
    assert list(rows(run, tmp_path / "d.csv")[0]) == ["row", "r1", "r2"]
    assert len(rows(run, tmp_path / "d.csv")) == 8
    np.testing.assert_allclose(result["predictions"], result["outputs"])
    assert result["classes"] is None
    assert evaluate_run(run)["per_class"] == []


def test_one_value_is_named_by_its_target(tmp_path: Path) -> None:
    table = "a,price\n" + "".join(f"{i},{2.5 * i}\n" for i in range(8))
    run = trained(tmp_path, UNTRAINED % ("path: d.csv, target: price", "{type: dense, units: 1}", "mse"), d=table)
    assert list(rows(run, tmp_path / "d.csv")[0]) == ["row", "price"]


def test_several_yes_or_no_outputs_have_an_answer_and_a_probability_each(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    lines = [f"{rng.normal():.3f},{int(rng.random() < 0.5)},{int(rng.random() < 0.5)}" for _ in range(40)]
    layers = "{type: dense, units: 2, activation: sigmoid}"
    source = "path: d.csv, target: [red, big]"
    run = trained(tmp_path, UNTRAINED % (source, layers, "bce"), d="\n".join(["a,red,big", *lines]))
    result = predict(run, tmp_path / "d.csv")
    for row, said, outputs in zip(rows(run, tmp_path / "d.csv"), result["predictions"], result["outputs"], strict=True):
        assert list(row) == ["row", "red", "big", "p(red)", "p(big)"]
        assert [row["red"], row["big"]] == [str(int(each > 0.5)) for each in outputs]
        assert said == [name for name, p in zip(("red", "big"), outputs, strict=True) if p > 0.5]
    assert [row["class"] for row in evaluate_run(run)["per_class"]] == ["red", "big"]
    assert evaluate_run(run)["confusion_matrix"] == []


@pytest.mark.parametrize(
    ("y", "layers", "loss", "answer"),
    [
        (np.eye(3, dtype=np.float32)[[0, 1, 2, 1] * 3], "{type: dense, units: 3, activation: softmax}", "cce", "name"),
        (np.tile([[1, 0, 1], [0, 0, 1]], (6, 1)), "{type: dense, units: 3, activation: sigmoid}", "bce", "names"),
        (np.random.default_rng(1).normal(size=(12, 4)), "{type: dense, units: 4}", "mse", "numbers"),
    ],
    ids=["one-hot rows", "labels", "values per step"],
)
def test_arrays_without_names_are_read_too(tmp_path: Path, y: Any, layers: str, loss: str, answer: str) -> None:
    x = np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)
    name = {"cce": "categorical_crossentropy"}.get(loss, loss)
    run = trained(tmp_path, UNTRAINED % ("path: d.npz", layers, name), d={"x": x, "y": y})
    np.save(tmp_path / "new.npy", x)
    result = predict(run, tmp_path / "new.npy")
    assert len(rows(run, tmp_path / "new.npy")) == 12
    said = result["predictions"][0]
    if answer == "name":
        assert said in ("0", "1", "2")
        evaluated = evaluate_run(run)
        assert np.sum(evaluated["confusion_matrix"]) == evaluated["samples"]
    elif answer == "names":
        assert set(said) <= {"y1", "y2", "y3"}
    else:
        np.testing.assert_allclose(said, result["outputs"][0])


def test_tags_per_step_are_words_behind_each_other(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(12, 3, 2)), rng.integers(0, 4, (12, 3))
    y[:4, 0] = range(4)
    layers = "{type: dense, units: 4, activation: softmax}"
    run = trained(tmp_path, UNTRAINED % ("path: d.npz", layers, "cross_entropy"), d={"x": x, "y": y})
    np.save(tmp_path / "new.npy", x)
    result = predict(run, tmp_path / "new.npy")
    first = rows(run, tmp_path / "new.npy")[0]
    assert first["prediction"] == " ".join(map(str, result["outputs"][0].argmax(axis=-1)))
    assert list(first)[2:] == [f"{step}: p({name})" for step in (1, 2, 3) for name in range(4)]
    evaluated = evaluate_run(run)
    assert np.sum(evaluated["confusion_matrix"]) == 3 * evaluated["samples"]


def test_more_units_than_classes_are_refused(tmp_path: Path) -> None:
    table = "a,kind\n" + "".join(f"{i},{'xyz'[i % 3]}\n" for i in range(9))
    softmax = "{type: dense, units: 5, activation: softmax}"
    for layers, loss in ((softmax, "cross_entropy"), ("{type: dense, units: 5}", "hinge")):
        text = UNTRAINED % ("path: d.csv, target: kind", layers, loss)
        with pytest.raises(ConfigError, match=r"5 units, but the data have 3 classes \(x, y, z\); end with units: 3"):
            trained(tmp_path, text, d=table)
    one_hot = "path: d.csv, target: kind, transforms: [{type: one_hot, classes: 5}]"
    with pytest.raises(ConfigError, match="end with units: 3"):
        trained(tmp_path, UNTRAINED % (one_hot, "{type: dense, units: 5, activation: softmax}", "mse"), d=table)


def test_a_score_as_target_is_predicted_on_the_scale_of_the_file(tmp_path: Path) -> None:
    table = "a,quality\n" + "".join(f"{i},{3 + i % 6}\n" for i in range(60))
    source = "path: d.csv, target: quality, transforms: [{type: cast, of: target}]"
    text = UNTRAINED % (source, "{type: dense, units: 1}", "mse")
    text += "parameters: {dense_1.W: [[0.0]], dense_1.b: [5.5]}\n"
    run = trained(tmp_path, text, d=table)
    assert predict(run, tmp_path / "d.csv")["predictions"][:2] == [5.5, 5.5]
    evaluated = evaluate_run(run)
    assert evaluated["metrics"]["loss"] == pytest.approx(np.var(np.arange(3, 9)))
    assert evaluated["confusion_matrix"] == evaluated["per_class"] == evaluated["classes"] == []
    uncast = text.replace(", transforms: [{type: cast, of: target}]", "")
    with pytest.raises(ConfigError, match=r"if they are values of a file, set dataset\.task: regression"):
        trained(tmp_path, uncast, d=table)
    with_accuracy = text.replace("epochs: 1", "epochs: 1, metrics: [accuracy]")
    with pytest.raises(ConfigError, match="accuracy counts right answers"):
        trained(tmp_path, with_accuracy, d=table)


def test_labels_that_are_no_numbers_are_cast_only_where_they_are_two(tmp_path: Path) -> None:
    words = "a,kind\n" + "".join(f"{i},{'xyz'[i % 3]}\n" for i in range(9))
    source = "path: d.csv, target: kind, transforms: [{type: cast, of: target}]"
    text = UNTRAINED % (source, "{type: dense, units: 1}", "mse")
    with pytest.raises(ConfigError, match="x, y, z are no numbers; use"):
        trained(tmp_path, text, d=words)
    run = trained(tmp_path, text, d=words.replace("z", "x"))
    assert set(predict(run, tmp_path / "d.csv")["predictions"]) <= {"x", "y"}


def test_each_picture_is_named_in_its_row(tmp_path: Path) -> None:
    from PIL import Image

    for kind, colour in (("cat", 30), ("dog", 200)):
        (tmp_path / "pics" / kind).mkdir(parents=True)
        for i in range(4):
            Image.new("L", (4, 4), colour + i).save(tmp_path / "pics" / kind / f"{i}.png")
    layers = "flatten, {type: dense, units: 2, activation: softmax}"
    text = UNTRAINED % ("path: pics, splits: {train: 50%, test: 50%}", layers, "cross_entropy")
    run = trained(tmp_path, text)
    (tmp_path / "new" / "more").mkdir(parents=True)
    for name in ("1.png", "2.png", "10.png", "more/a.png"):
        Image.new("L", (4, 4), 100).save(tmp_path / "new" / name)
    result = predict(run, tmp_path / "new")
    assert result["files"] == ["1.png", "10.png", "2.png", "more/a.png"]
    assert [row["file"] for row in rows(run, tmp_path / "new")] == result["files"]
    assert predict(run, tmp_path / "new" / "2.png")["files"] == ["2.png"]


LABELS = "a,y\n" + "".join(f"{i / 10},{(2, 3, 1)[i % 3]}\n" for i in range(24))


@pytest.mark.parametrize("label", ["1", "2", "3"])
@pytest.mark.parametrize("loss", ["sparse_categorical_crossentropy", "categorical_focal_crossentropy"])
def test_class_weights_are_those_of_the_labels_in_the_file(tmp_path: Path, label: str, loss: str) -> None:
    """The class of weight 0 is the one that is never learnt."""
    text = UNTRAINED % (
        "path: d.csv, target: y, splits: {train: 100%}",
        "{type: dense, units: 3, activation: softmax}",
        f"{{type: {loss}, class_weights: {{{label}: 0}}}}",
    )
    text = text.replace("learning_rate: 0", "learning_rate: 5").replace("epochs: 1", "epochs: 30, batch_size: full")
    result = predict(trained(tmp_path, text, d=LABELS), tmp_path / "d.csv")
    assert result["classes"] == ["1", "2", "3"]
    assert result["outputs"].mean(axis=0).argmin() == result["classes"].index(label)


def test_class_weights_by_name_weigh_yes_and_no(tmp_path: Path) -> None:
    text = UNTRAINED % (
        "path: d.csv, target: y, splits: {train: 100%}",
        "{type: dense, units: 1, activation: sigmoid}",
        "{type: bce, class_weights: {yes: 3}}",
    )
    text += "parameters: {dense_1.W: [[0.0]], dense_1.b: [0.0]}\n"
    evaluated = evaluate_run(trained(tmp_path, text, d=SCORES), "train")
    assert evaluated["metrics"]["loss"] == pytest.approx((3 + 3 * 5) / 8 * np.log(2), rel=1e-6)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("{0: 2}", "names 0, which is no label of the data; expected some of 1, 2, 3"),
        ("{x: 2, y: 3}", "names x, y, which is no label"),
        ("[1, 2]", "2 numbers; expected one number per class: 3 for 1, 2, 3"),
    ],
)
def test_class_weights_that_name_no_label_are_refused(tmp_path: Path, weights: str, words: str) -> None:
    loss = f"{{type: cross_entropy, class_weights: {weights}}}"
    text = UNTRAINED % ("path: d.csv, target: y", "{type: dense, units: 3, activation: softmax}", loss)
    with pytest.raises(ConfigError, match=words):
        trained(tmp_path, text, d=LABELS)


def test_every_metric_that_measures_nothing_is_told_at_once(tmp_path: Path) -> None:
    text = UNTRAINED % ("path: d.csv, target: y", "{type: dense, units: 1, activation: sigmoid}", "bce")
    text = text.replace("epochs: 1", "epochs: 1, metrics: [top_k, accuracy, r2]")
    with pytest.raises(ConfigError) as caught:
        trained(tmp_path, text, d=SCORES)
    assert [problem.path for problem in caught.value.problems] == ["trainer.metrics.0", "trainer.metrics.2"]
