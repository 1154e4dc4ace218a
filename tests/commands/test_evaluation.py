"""`bp eval`: the run's own data, or a file with targets, read by what the model has learnt."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.file_evaluation import evaluate_file
from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load, load_run
from backprop_cli.config import load_config
from backprop_cli.data.loading import load_dataset
from backprop_cli.errors import DataError, UsageError
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A table whose file is a test split too, and a run on it."""
    rows = [f"{i % 7},{'blue' if i % 2 else 'red'},{'odd' if i % 2 else 'even'}" for i in range(60)]
    head = "v,colour,kind\n"
    (tmp_path / "train.csv").write_text(head + "\n".join(rows[:40]) + "\n")
    (tmp_path / "test.csv").write_text(head + "\n".join(rows[40:]) + "\n")
    config = {
        "dataset": {
            "source": "files",
            "target": "kind",
            "splits": {name: str(tmp_path / f"{name}.csv") for name in ("train", "test")},
            "transforms": ["standardize"],
        },
        "architecture": [{"type": "dense", "units": 4, "activation": "tanh"}, {"type": "dense", "units": 2}],
        "loss": {"type": "cross_entropy", "from_logits": True},
        "trainer": {"epochs": 5, "metrics": ["accuracy", "f1"]},
    }
    train(config, run_dir=tmp_path / "run")
    return tmp_path


def test_a_file_is_measured_as_the_split_is(project: Path) -> None:
    own = evaluate_run(RunDirectory(project / "run"), "test")
    model = load(project / "run" / "checkpoints" / "best.safetensors")
    given = evaluate_file(model, project / "test.csv")
    assert own["data"]["same"] and not given["data"]["same"]
    same = ("samples", "classes", "per_class", "confusion_matrix")
    assert {key: given[key] for key in same} == {key: own[key] for key in same}
    assert given["metrics"] == pytest.approx(own["metrics"]) and own["metrics"].keys() == {"loss", "accuracy", "f1"}


def test_categories_and_classes_are_the_models(project: Path) -> None:
    model = load(project / "run")
    (project / "one.csv").write_text("kind,colour,v\nodd,blue,1\nodd,azure,3\n")  # sorts before blue, and no even
    said: list[str] = []
    result = evaluate_file(model, project / "one.csv", warn=said.append)
    assert result["classes"] == ["even", "odd"] and result["confusion_matrix"][0] == [0, 0]
    assert len(said) == 1 and "azure" in said[0]
    (project / "odd.csv").write_text("kind,colour,v\nodd,blue,1\nstrange,red,3\n")
    with pytest.raises(DataError, match=r"row 2: label 'strange' is none of the classes"):
        evaluate_file(model, project / "odd.csv")


def test_the_file_of_a_model_needs_data(project: Path, bp: Any) -> None:
    shutil.copy(project / "run" / "checkpoints" / "best.safetensors", project / "m.safetensors")
    done = bp("eval", "m.safetensors")
    assert done.code == 2 and "--data FILE" in done.err
    shutil.rmtree(project / "run")
    done = bp("eval", "m.safetensors", "--data", "test.csv", "--json")
    assert done.code == 0 and done.json["samples"] == 20 and done.json["run_id"] is None
    for data, code in (("none.csv", 1), ("m.safetensors", 1)):
        done = bp("eval", "m.safetensors", "--data", data)
        assert done.code == code and "Traceback" not in done.err and done.err.count("\n") == 1
    assert bp("eval", "m.safetensors", "--data", "test.csv", "--split", "test").code == 2


def test_arrays_with_targets(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    y = np.where(x[:, 0] > 0, 7, 3)
    np.savez(tmp_path / "a.npz", x=x, y=y)
    config = {
        "dataset": {"source": "files", "path": str(tmp_path / "a.npz")},
        "architecture": [{"type": "dense", "units": 2, "activation": "softmax"}],
        "loss": "cross_entropy",
        "trainer": {"epochs": 2, "metrics": ["accuracy"]},
    }
    train(config, run_dir=tmp_path / "run")
    model = load(tmp_path / "run")
    np.savez(tmp_path / "b.npz", x=x[:10], y=np.full(10, 7))
    result = evaluate_file(model, tmp_path / "b.npz")
    assert result["classes"] == ["3", "7"] and result["per_class"][1]["support"] == 10


def test_a_split_goes_by_its_usual_names(tmp_path: Path) -> None:
    train(load_config(ROOT / "configs/moons.yaml", ["trainer.epochs=1"]), run_dir=tmp_path / "run")
    run = RunDirectory(tmp_path / "run")
    assert evaluate_run(run, "valid") == evaluate_run(run, "validation")


def test_a_model_of_arrays_is_measured_on_a_table(tmp_path: Path) -> None:
    """Its inputs have names; the one other column is the target, wherever it stands."""
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: sample, name: iris, splits: {train: 80%, validation: 20%}}\n"
        "architecture: [{type: dense, units: 3, activation: softmax}]\nloss: sparse_categorical_crossentropy\n"
        "trainer: {epochs: 5, metrics: [accuracy]}\n"
    )
    cfg = load_config(tmp_path / "c.yaml")
    train(cfg, run_dir=tmp_path / "run")
    data = load_dataset(cfg.dataset, cfg.seed, tmp_path)
    some, names, classes = data.splits["validation"], data.features or [], data.classes or []
    order = [2, 0, 3, 1]
    lines = [",".join(["kind", *(names[i] for i in order)])]
    lines += [",".join([classes[k], *(str(x[i]) for i in order)]) for x, k in zip(some.x, some.y, strict=True)]
    (tmp_path / "t.csv").write_text("\n".join(lines) + "\n")
    found = evaluate_file(load(tmp_path / "run"), tmp_path / "t.csv")
    assert found["metrics"] == pytest.approx(evaluate_run(RunDirectory(tmp_path / "run"))["metrics"], rel=1e-5)
    (tmp_path / "t.csv").write_text("\n".join(f"{line},{i or 'id'}" for i, line in enumerate(lines)) + "\n")
    with pytest.raises(UsageError, match="it has kind, id; expected one, the target"):
        evaluate_file(load(tmp_path / "run"), tmp_path / "t.csv")


@pytest.mark.parametrize("unit", [False, True])
def test_the_loss_has_an_interval_of_the_losses_of_the_examples(tmp_path: Path, unit: bool) -> None:
    rows = "".join(f"{i % 13},{i * i % 97},{1 + i % 3}\n" for i in range(60))
    (tmp_path / "t.csv").write_text("a,y,w\n" + rows)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: t.csv, target: y, task: regression, sample_weight: w}\n"
        f"architecture: [{{type: dense, units: 1, l2: 0.01}}{', unscale' if unit else ''}]\n"
        "loss: mse\ntrainer: {epochs: 2}\n"
    )
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    told = evaluate_run(RunDirectory(tmp_path / "run"), "train")
    low, high = told["intervals"]["loss"]
    assert low < told["metrics"]["loss"] < high
    made, _ = load_run(RunDirectory(tmp_path / "run"))
    batches = made.batches("train")
    x, y = next(iter(batches.epoch(0)))
    made.network.loss(made.network.forward(x), y, batches.weight)
    each = made.network.told_each(y)
    assert each is not None
    split, penalty = made.dataset.splits["train"], made.network.penalty()
    assert split.weight is not None
    errors = (made.network.output[:, 0] - split.y[:, 0]) ** 2
    np.testing.assert_allclose(each, split.weight * errors + penalty, rtol=1e-4)


@pytest.mark.long
def test_a_copy_of_the_data_trained_on_is_recognized(tmp_path: Path, bp: Any) -> None:
    """By its content, split as in training, wherever it lies; another row makes it another."""
    text = "v,kind\n" + "".join(f"{i / 8},{'even' if i % 2 else 'odd'}\n" for i in range(40))
    (tmp_path / "t.csv").write_text(text)
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: t.csv, target: kind, splits: {train: 70%, test: 30%}}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\nloss: cross_entropy\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    (tmp_path / "t.csv").rename(tmp_path / "copy.csv")
    (tmp_path / "other.csv").write_text(text.replace("1.0,", "1.5,"))
    for model in ("run", "run/checkpoints/best.safetensors"):
        done = bp("eval", model, "--data", "copy.csv")
        assert done.code == 0 and "copy.csv holds the data that run was trained on" in " ".join(done.err.split())
    assert "another fingerprint" in " ".join(bp("eval", "run", "--data", "other.csv").err.split())
    (tmp_path / "run" / "checkpoints" / "best.safetensors").rename(tmp_path / "m.safetensors")
    assert "copy.csv cannot be compared" in " ".join(bp("eval", "m.safetensors", "--data", "copy.csv").err.split())
    told = json.loads(bp("eval", "m.safetensors", "--data", "copy.csv", "--json").out)
    assert told["data"]["same"] is None
