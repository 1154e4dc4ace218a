"""`bp predict SWEEP` and `bp eval SWEEP --data`: the outputs of several networks, averaged."""

from __future__ import annotations

import csv
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import load, train
from backprop_cli.commands.answers import Csv
from backprop_cli.commands.predict import predict
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import UsageError
from backprop_cli.model.ensemble import Ensemble
from backprop_cli.model.model import Model

CONFIG = """
name: t
dataset: {source: files, path: t.csv, target: y, transforms: [standardize], missing: mean}
architecture: [{type: dense, units: 4, activation: tanh}, {type: dense, units: 2, activation: softmax}]
loss: cross_entropy
trainer: {epochs: 3, metrics: [accuracy]}
"""
NEW = "town,b,a,y\nBonn,0.5,-1,no\nUlm,,2,yes\nKiel,1,1.5,yes\nBonn,-1,,no\n"  # Kiel is in no fold, Ulm in one row


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep over three folds, one over two seeds, and one over learning rates."""
    folder = tmp_path_factory.mktemp("ensembles")
    a, b = np.random.default_rng(0).normal(size=(2, 60)).round(3)
    rows = [f"{p},{q},{'Ulm' if i == 7 else 'Bonn' if i % 3 else 'Köln'},{'yes' if p > q else 'no'}\n"
            for i, (p, q) in enumerate(zip(a, b, strict=True))]  # fmt: skip
    (folder / "t.csv").write_text("a,b,town,y\n" + "".join(rows))
    (folder / "t.yaml").write_text(CONFIG)
    (folder / "new.csv").write_text(NEW)
    for options in (["--name", "folds", "--folds", "3"], ["--name", "seeds", "--set", "seed=1..2"],
                    ["--name", "rates", "--set", "optimizer.learning_rate=0.1,0.2"]):  # fmt: skip
        command = [sys.executable, "-m", "backprop_cli", "sweep", "t.yaml", *options, "--quiet"]
        subprocess.run(command, cwd=folder, check=True, capture_output=True)
    return folder


def mean_of_members(sweep: Path) -> np.ndarray:
    """The mean of the probabilities that each run of a sweep gives, by the way of a single run."""
    runs = sorted(path.parent for path in sweep.glob("*/run.json"))
    with pytest.warns(UserWarning, match="'Kiel'"):
        return np.mean([load(run).predict_proba(sweep.parent.parent / "new.csv") for run in runs], axis=0)


@pytest.mark.process
@pytest.mark.parametrize(("name", "count"), [("folds", 3), ("seeds", 2)])
def test_probabilities_are_averaged(bp: Callable[..., Any], folder: Path, name: str, count: int) -> None:
    sweep = folder / "runs" / name
    p = mean_of_members(sweep)
    ensemble = load(sweep)
    assert isinstance(ensemble, Ensemble) and len(ensemble.members) == count
    with pytest.warns(UserWarning, match="'town': . values? in categories .*'Kiel'") as warned:
        assert np.allclose(ensemble.predict_proba(folder / "new.csv"), p, atol=1e-6)
    assert len(warned) == 1
    done = bp("predict", sweep, folder / "new.csv", "--json")
    assert done.code == 0, done.err
    assert np.allclose(done.json["outputs"], p, atol=1e-6)
    assert done.json["run_id"] == name and len(done.json["members"]) == count
    assert done.json["predictions"] == [["no", "yes"][i] for i in p.argmax(axis=1)]
    runs = [load(sweep / member.split("/")[-1]) for member in done.json["members"]]
    with pytest.warns(UserWarning, match="'Kiel'"):
        spread = np.std([run.predict_proba(folder / "new.csv") for run in runs], axis=0, ddof=1)
    assert np.allclose(done.json["spread"], spread, atol=1e-6) and (spread > 0).all()


@pytest.mark.process
def test_a_file_and_standard_input_are_answered_alike(bp: Callable[..., Any], folder: Path) -> None:
    sweep = folder / "runs" / "folds"
    from_file = bp("predict", sweep, folder / "new.csv")
    assert "average of 3 networks" in from_file.err
    with open(folder / "new.csv") as file:
        streamed = predict(load(sweep), ["-"], stdin=file.fileno())
        assert "".join(map(Csv(), streamed)) == from_file.out
    header, *rows = csv.reader(io.StringIO(from_file.out))
    assert header == ["row", "prediction", "p(no)", "p(yes)"] and len(rows) == 4


@pytest.mark.process
def test_measures_are_those_of_the_average(bp: Callable[..., Any], folder: Path) -> None:
    sweep = folder / "runs" / "folds"
    p = mean_of_members(sweep)
    right = np.array([0, 1, 1, 0])
    done = bp("eval", sweep, "--data", folder / "new.csv", "--json")
    assert done.code == 0, done.err
    metrics = done.json["metrics"]
    assert metrics["loss"] == pytest.approx(-np.log(p[np.arange(4), right]).mean(), abs=1e-5)
    assert metrics["accuracy"] == np.mean(p.argmax(axis=1) == right)
    assert [len(row["metrics"]) for row in done.json["members"]] == [2, 2, 2]
    alone = bp("eval", done.json["checkpoint"][1], "--data", folder / "new.csv", "--json").json["metrics"]
    assert done.json["members"][1]["metrics"] == alone
    shown = bp("eval", sweep, "--data", folder / "new.csv")
    assert "4 samples, average of 3 networks" in shown.out and "one network" in shown.out


@pytest.mark.process
def test_only_what_differs_by_chance_is_averaged(bp: Callable[..., Any], folder: Path) -> None:
    done = bp("predict", folder / "runs" / "rates", folder / "new.csv")
    assert done.code == 2
    assert "varied optimizer.learning_rate" in done.err and "bp runs summary" in done.err
    assert bp("predict", folder / "runs" / "seeds", "--generate", "4").code == 2


def test_networks_of_other_classes_or_columns_are_refused(tmp_path: Path) -> None:
    def trained(name: str, rows: str) -> Model:
        (tmp_path / f"{name}.csv").write_text(rows)
        dataset = {"source": "files", "path": str(tmp_path / f"{name}.csv"), "target": "y", "splits": {"train": "all"}}
        dense = {"type": "dense", "units": 3, "activation": "softmax"}
        config = {"dataset": dataset, "architecture": [dense], "loss": "cross_entropy", "trainer": {"epochs": 1}}
        model = load(train(config, run_dir=tmp_path / name)["run_dir"])
        assert isinstance(model, Model)
        return model

    one = trained("one", "a,y\n1,p\n2,q\n3,r\n")
    with pytest.raises(UsageError, match=r"two cannot be averaged with one: its classes are p, q, s, there p, q, r"):
        Ensemble([one, trained("two", "a,y\n1,p\n2,q\n3,s\n")])
    with pytest.raises(UsageError, match=r"three .* its columns are b, there a"):
        Ensemble([one, trained("three", "b,y\n1,p\n2,q\n3,r\n")])
    (answers,) = predict(Ensemble([one, trained("four", "a,y\n4,p\n7,q\n5,r\n")]), [tmp_path / "one.csv"])
    assert answers.spread is not None and answers.spread.shape == (3, 3)


def test_the_average_of_logits_has_the_mean_probabilities() -> None:
    rng = np.random.default_rng(0)
    for kind, shape in (("classes", (5, 3)), ("binary", (5, 1)), ("labels", (5, 3))):
        reading = Reading(kind, "logits", 0.0)  # type: ignore[arg-type]
        outputs = [rng.normal(0, 3, shape) for _ in range(4)]
        mean = reading.probabilities(reading.average(outputs))
        assert mean is not None
        assert np.allclose(mean, np.mean([reading.probabilities(y) for y in outputs], axis=0), atol=1e-12)
    certain = [np.array([[800.0, -800.0]]), np.array([[800.0, -800.0]])]
    assert np.isfinite(Reading("classes", "logits").average(certain)).all()
    assert np.isfinite(Reading("labels", "logits").average(certain)).all()
