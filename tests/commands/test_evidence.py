"""How far a result can be trusted: each number beside one from a formula, from scikit-learn, or counted by hand."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import precision_recall_fscore_support

from backprop_cli.commands.baselines import RIDGE, baselines
from backprop_cli.commands.evaluation import evaluate_run, measured
from backprop_cli.commands.evidence import Evidence, calibration, groups, intervals, thresholds, worst
from backprop_cli.commands.groups import values_of
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.data.dataset import Split
from backprop_cli.data.files.layout import Layout
from backprop_cli.data.files.matrix import Columns
from backprop_cli.data.files.plan import Plan
from backprop_cli.data.schema import Schema
from backprop_cli.data.settled import schema_of
from backprop_cli.engine.reading import Reading
from backprop_cli.errors import UsageError
from backprop_cli.model.build import prepare
from backprop_cli.registry import make
from backprop_cli.runs.directory import RunDirectory
from tests.conftest import ROOT

CLASSES = Reading("classes", "probabilities", names=("a", "b", "c"))
BINARY = Reading("binary", "probabilities", names=("no", "yes"))


def evidence(y: Any, target: Any, reading: Reading, *metrics: str) -> Evidence:
    made = [make("metric", name) for name in metrics]
    for each in made:
        each.reading = reading
    return Evidence(np.asarray(y, float), np.asarray(target), None, None, reading, made)


def coin(n: int, right: float = 0.8) -> Evidence:
    truth = np.random.default_rng(0).integers(0, 3, n)
    said = np.where(np.arange(n) < right * n, truth, (truth + 1) % 3)
    return evidence(np.eye(3)[said], truth, CLASSES, "accuracy", "f1")


@pytest.mark.large
def test_an_interval_is_that_of_the_binomial_distribution() -> None:
    found = intervals(coin(1000))
    spread = 1.96 * np.sqrt(0.8 * 0.2 / 1000)
    np.testing.assert_allclose(found["accuracy"], [0.8 - spread, 0.8 + spread], atol=0.004)
    assert found == intervals(coin(1000)) != intervals(coin(1000), seed=1)
    assert found["f1"][0] < coin(1000).measure()["f1"] < found["f1"][1]
    assert intervals(coin(1000), resamples=0) == {}


def test_calibration_counted_by_hand() -> None:
    y = [[0.95], [0.95], [0.95], [0.92], [0.15], [0.15]]
    found = calibration(evidence(y, [1, 1, 1, 0, 0, 1], BINARY))
    assert found is not None
    assert [(row["samples"], row["true"]) for row in found["curve"]] == [(2, 0.5), (4, 0.75)]
    assert found["ece"] == pytest.approx(2 / 6 * abs(0.5 - 0.15) + 4 / 6 * abs(0.75 - 0.9425))
    sure = calibration(evidence([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6]], [0, 0], CLASSES))
    assert sure is not None
    assert sure["ece"] == pytest.approx(0.5 * 0.2 + 0.5 * 0.6)
    assert calibration(evidence([[1.0]], [[1.0]], Reading())) is None


def test_thresholds_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    p, truth = rng.uniform(0, 1, 200), rng.integers(0, 2, 200)
    for row in thresholds(evidence(p[:, None], truth, BINARY)):
        said = (p > row["threshold"]).astype(int)
        precision, recall, f1, _ = precision_recall_fscore_support(truth, said, average="binary")
        assert (row["precision"], row["recall"], row["f1"]) == pytest.approx((precision, recall, f1))
        assert row["specificity"] == pytest.approx((1 - said)[truth == 0].mean())
    assert thresholds(coin(10)) == []


def test_the_worst_rows_come_first_by_their_number_in_the_file() -> None:
    y = [[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.3, 0.4, 0.3]]
    found = worst(evidence(y, [0, 0, 1], CLASSES), np.array([10, 20, 30]), 2)
    assert [(row["row"], row["true"], row["predicted"]) for row in found] == [(20, "a", "c"), (30, "b", "b")]
    far = worst(evidence([[1.0], [5.0]], [[1.5], [1.0]], Reading()), count=1)
    assert far == [{"row": 1, "true": 1.0, "predicted": 5.0, "error": 4.0}]


def test_two_classes_with_an_output_each_have_the_thresholds_of_yes_and_no() -> None:
    rng = np.random.default_rng(0)
    p, truth = rng.random(60), rng.integers(0, 2, 60)
    two = evidence(np.stack([1 - p, p], axis=1), truth, Reading("classes", "probabilities", names=("no", "yes")))
    assert thresholds(two) == thresholds(evidence(p[:, None], truth, BINARY)) != []


def test_groups_by_what_the_inputs_hold() -> None:
    table = Columns(Layout("csv"), ["size", "city"], categories={"city": ["Berlin", "Rome"]})
    schema = Schema(shape=(3,), dtype="float64", target_shape=(), target_dtype="int64", table=table)
    x = np.array([[i, i % 3 == 0, i % 3 == 1] for i in range(30)], float)
    assert values_of(Split(x[:4], x[:4, 0]), schema, "city") == ["Berlin", "Rome", "other", "Berlin"]
    sizes = values_of(Split(x, x[:, 0]), schema, "size")
    assert sorted(set(sizes), key=sizes.index) == ["0 to 7.25", "7.25 to 14.5", "14.5 to 21.75", "21.75 to 29"]
    with pytest.raises(UsageError, match=r"--by town: no such column; the inputs have size, city"):
        values_of(Split(x, x[:, 0]), schema, "town")
    means = Plan("category", encoding="target", categories=["Berlin", "Rome"], means=[[0.5], [0.1], [0.3]])
    coded = schema.model_copy(update={"table": Columns(Layout("csv"), ["city"], plans={"city": means})})
    with pytest.raises(UsageError, match="--by city: with encoding: target the inputs hold means of the target"):
        values_of(Split(x[:, :1], x[:, 0]), coded, "city")
    rows = groups(coin(30), values_of(Split(x, x[:, 0]), schema, "city"))
    assert [(row["group"], row["samples"]) for row in rows] == [("Berlin", 10), ("Rome", 10), ("other", 10)]
    assert np.mean([row["accuracy"] for row in rows]) == pytest.approx(0.8)


@pytest.mark.large
@pytest.mark.parametrize(
    ("name", "loss", "end", "metrics"),
    [
        (
            "iris",
            "sparse_categorical_crossentropy",
            "{type: dense, units: 3, activation: softmax}",
            "accuracy, log_loss",
        ),
        ("breast_cancer", "binary_crossentropy", "{type: dense, units: 1, activation: sigmoid}", "accuracy, log_loss"),
        ("diabetes", "mse", "dense_1", "mae, r2"),
    ],
)
def test_baselines_are_those_of_scikit_learn(tmp_path: Path, name: str, loss: str, end: str, metrics: str) -> None:
    end = end.replace("dense_1", "{type: dense, units: 1}")
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{source: sample, name: {name}, splits: {{train: 80%, validation: 20%}}, "
        f"transforms: [standardize]}}\narchitecture: [{end}]\nloss: {loss}\ntrainer: {{metrics: [{metrics}]}}\n"
    )
    made = prepare(load_config(tmp_path / "c.yaml"))
    measures = made.config.trainer.metrics
    _, found = measured(made.network, made.batches("validation"), made.reading, measures, None, "validation")
    assert found is not None
    ours = baselines(made, "validation", found)
    (x, t), (u, v) = (
        [
            np.concatenate(each)
            for each in zip(*[(a.copy(), b.copy()) for a, b in made.batches(s).epoch(0)], strict=True)
        ]
        for s in ("train", "validation")
    )
    if name == "diabetes":
        theirs = Ridge(RIDGE * len(x)).fit(x, t).predict(u).reshape(len(u), -1)
        np.testing.assert_allclose(ours["linear"]["mae"], np.abs(theirs - v.reshape(theirs.shape)).mean(), rtol=1e-4)
        assert abs(ours["mean"]["r2"]) < 0.1
        return
    model = LogisticRegression(C=1 / (RIDGE * len(x)), max_iter=5000, tol=1e-8).fit(x, t.ravel())
    p = model.predict_proba(u)[np.arange(len(u)), v.ravel().astype(int)]
    assert ours["linear"]["log_loss"] == pytest.approx(-np.log(p).mean(), rel=0.02)
    assert ours["linear"]["accuracy"] == pytest.approx(model.score(u, v.ravel()), abs=0.02)
    share = np.bincount(t.ravel().astype(int)).argmax()
    assert ours["majority"]["accuracy"] == pytest.approx((v.ravel() == share).mean(), abs=0.02)


def test_as_a_command_says_it(bp, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: sample, name: iris, splits: {train: 80%, validation: 20%}}\n"
        "architecture: [{type: dense, units: 3, activation: softmax}]\nloss: sparse_categorical_crossentropy\n"
        "trainer: {epochs: 3, metrics: [accuracy]}\n"
    )
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    done = bp("eval", "run", "--baseline", "--by", "petal width (cm)")
    assert done.code == 0, done.err
    heads = done.out.splitlines()[1].split("  ")
    assert [head.strip() for head in heads if head] == ["metric", "value", "95 % interval", "majority", "linear"]
    assert "calibration: expected calibration error" in done.out
    assert "by petal width (cm)" in done.out
    told = evaluate_run(RunDirectory(tmp_path / "run"), resamples=0)
    assert (told["intervals"], told["by"], told["baselines"]) == ({}, {}, {})
    model = bp("eval", "run", "--data", "x.csv", "--baseline")
    assert (model.code, "--baseline needs the training split" in model.err) == (2, True)


def test_groups_by_columns_that_the_config_says_more_of() -> None:
    cfg = load_config(ROOT / "configs" / "flats.yaml")
    dataset = cfg.dataset.load(0, cfg.folder)
    split, schema = dataset.splits["test"], schema_of(dataset)
    written = list(csv.DictReader((ROOT / "backprop_cli/data/sample/flats.csv").open(encoding="utf-8")))
    for column in ("house", "balcony", "quarter"):
        assert split.rows is not None and dataset.table is not None
        known = dataset.table.plans[column].categories
        right = [each if (each := written[row][column]) in known else "other" for row in split.rows]
        assert values_of(split, schema, column) == right
