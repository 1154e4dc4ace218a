"""Estimators of scikit-learn: its own checks, and what people do with estimators."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from backprop_cli.sklearn import BpClassifier, BpRegressor

COMPLETE = {
    "architecture": [
        {"type": "dense", "units": 16, "activation": "relu"},
        {"type": "dense", "units": 3, "activation": "softmax"},
    ],
    "loss": "cross_entropy",
    "optimizer": {"type": "adam", "learning_rate": 0.02},
    "trainer": {"epochs": 40},
    "dataset": {"source": "sample", "name": "iris", "transforms": ["standardize"]},
}
X, Y = load_iris(return_X_y=True)
NAMES = np.array(["setosa", "versicolor", "virginica"])[Y]


@pytest.mark.large
@parametrize_with_checks([BpClassifier(), BpRegressor(), BpClassifier(COMPLETE)])
def test_what_scikit_learn_asks_of_estimators(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.large
def test_in_a_pipeline_and_a_search() -> None:
    pipeline = make_pipeline(StandardScaler(), BpClassifier(epochs=40))
    assert cross_val_score(pipeline, X, NAMES, cv=3).mean() > 0.9
    grid = {"bpclassifier__learning_rate": [1e-6, 0.02], "bpclassifier__overrides": [(), ("dtype=float32",)]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(X, NAMES)
    assert search.best_params_["bpclassifier__learning_rate"] == 0.02
    assert set(search.predict(X[:60])) <= set(NAMES)


def test_the_config_is_a_dict_or_a_file_and_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: sample, name: iris}\nloss: cross_entropy\ntrainer: {epochs: 3}\n"
        "architecture: [{type: dense, units: 3, activation: softmax}]\n"
    )
    model = BpClassifier(tmp_path / "c.yaml").fit(X, Y)
    assert len(model.history_) == 3 and model.model_.network.output_shape == (3,)
    binary = BpClassifier(COMPLETE, epochs=2).fit(X[:100], Y[:100])
    assert binary.model_.network.output_shape == (2,)  # as many units as there are classes
    assert COMPLETE["architecture"][1]["units"] == 3  # type: ignore[index]
    assert clone(binary).get_params()["config"] == COMPLETE


def test_a_copy_through_pickle_answers_the_same() -> None:
    model = BpClassifier(COMPLETE, epochs=3).fit(pd.DataFrame(X, columns=list("abcd")), NAMES)
    again = pickle.loads(pickle.dumps(model))
    table = pd.DataFrame(X, columns=list("abcd"))
    assert np.array_equal(again.predict_proba(table), model.predict_proba(table))
    assert list(again.feature_names_in_) == list("abcd") == again.model_.needs


def test_early_stopping_on_rows_held_out() -> None:
    stopping = ("trainer.early_stopping={monitor: validation/loss, patience: 1}",)
    model = BpClassifier(epochs=400, validation_fraction=0.3, overrides=stopping, random_state=0).fit(X, Y)
    assert "validation/loss" in model.history_[0] and len(model.history_) < 400


def test_several_values_at_once() -> None:
    targets = np.stack([X[:, 0] + X[:, 1], X[:, 2]], 1)
    model = BpRegressor(epochs=200, learning_rate=0.03).fit(X, targets)
    assert model.predict(X).shape == targets.shape and model.score(X, targets) > 0.9


def test_what_is_wrong_in_the_config_is_a_value_error() -> None:
    with pytest.raises(ValueError, match=r"unknown layer 'dens'; .*did you mean 'dense'"):
        BpClassifier({"architecture": [{"type": "dens", "units": 3}]}).fit(X, Y)
    with pytest.raises(ValueError, match=r"optimizer\.learning_rat"):
        BpClassifier(overrides=("optimizer.learning_rat=1",)).fit(X, Y)
    for architecture in (3, []):
        with pytest.raises(ValueError, match="architecture"):
            BpClassifier({"architecture": architecture, "loss": "mse"}).fit(X, Y)
