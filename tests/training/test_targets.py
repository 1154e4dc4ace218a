"""Targets as a user has them: in their own unit, ordered, weighted; held against doing the same by hand."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import load
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.file_evaluation import evaluate_file
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.errors import ConfigError, DataError
from backprop_cli.registry import make
from backprop_cli.runs.directory import RunDirectory

pytestmark = pytest.mark.trains

LAYERS: list[Any] = [{"type": "dense", "units": 8, "activation": "tanh"}]


def write(path: Path, **columns: Any) -> Path:
    table = zip(*columns.values(), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(str, row)) for row in table)]) + "\n")
    return path


def trained(path: Path, run: Path, layers: list[Any], loss: Any, *, metrics: Any = (), **dataset: Any) -> RunDirectory:
    source = {"source": "files", "path": str(path), "splits": {"train": "train[:80%]", "test": "train[80%:]"}}
    spec = {
        "name": "run",
        "dtype": "float64",
        "dataset": source | dataset,
        "architecture": [*LAYERS, *layers],
        "loss": loss,
        "optimizer": {"type": "sgd", "learning_rate": 0.1, "clip_norm": 1.0},
        "trainer": {
            "epochs": 5,
            "batch_size": "full",
            "metrics": list(metrics),
            "checkpoint": {"monitor": "train/loss"},
        },
    }
    train(load_config(spec), run_dir=run)
    return RunDirectory(run)


@pytest.fixture
def homes(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 100))
    price, rooms = 4e5 + 1e5 * (a - a * b), 3 + b + 0.1 * rng.normal(size=100)
    return write(tmp_path / "homes.csv", a=a, b=b, price=price, rooms=rooms)


def test_unscale_trains_as_on_targets_standardized_by_hand(homes: Path, tmp_path: Path) -> None:
    layers: list[Any] = [{"type": "dense", "units": 2}]
    target = ["price", "rooms"]
    ours = trained(homes, tmp_path / "ours", [*layers, "unscale"], "mse", target=target, metrics=["mae"])
    schema = load(ours.path)
    split = evaluate_run(ours, "train")
    cells = np.array([line.split(",") for line in homes.read_text().splitlines()[1:]], float)
    mean, std = (schema.network.states[f"unscale_1.{name}"] for name in ("mean", "std"))
    cells[:, 2:] = (cells[:, 2:] - mean) / std
    scaled = write(tmp_path / "scaled.csv", **dict(zip(["a", "b", "price", "rooms"], cells.T, strict=True)))
    theirs = load(trained(scaled, tmp_path / "theirs", layers, "mse", target=target).path)
    for name, value in theirs.network.parameters.items():
        np.testing.assert_allclose(schema.network.parameters[name], value, rtol=1e-9)
    np.testing.assert_allclose(schema.predict(homes), theirs.predict(scaled) * std + mean, rtol=1e-9)
    assert split["metrics"]["mae"] > 1e3  # dollars
    assert split["metrics"]["loss"] > 1e6


def test_what_is_told_is_in_the_unit_of_the_target(homes: Path, tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    names = ["rmse", "r2", "mape", "explained_variance", "median_absolute_error"]
    run = trained(
        homes, tmp_path / "run", [{"type": "dense", "units": 1}, "unscale"], "mae", target="price", metrics=names
    )
    found = evaluate_file(load(run.path), homes)["metrics"]
    truth = np.array([float(line.split(",")[2]) for line in homes.read_text().splitlines()[1:]])
    y = load(run.path).predict(homes)
    assert found["loss"] == pytest.approx(metrics.mean_absolute_error(truth, y), rel=1e-9)
    assert found["rmse"] == pytest.approx(metrics.root_mean_squared_error(truth, y), rel=1e-9)
    assert found["median_absolute_error"] == pytest.approx(metrics.median_absolute_error(truth, y), rel=1e-9)


@pytest.mark.parametrize(
    ("layers", "loss", "words"),
    [
        (["unscale", {"type": "dense", "units": 1}], "mse", "make it the last layer"),
        ([{"type": "dense", "units": 1}, "unscale"], "poisson", "poisson is not; leave it out, or use mse"),
    ],
)
def test_unscale_is_refused_where_it_means_nothing(
    homes: Path, tmp_path: Path, layers: list[Any], loss: str, words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        trained(homes, tmp_path / "run", layers, loss, target="rooms", features=["a", "b"])


def test_a_constant_target_has_no_unit() -> None:
    layer = make("layer", "unscale")
    layer.mean, layer.std = np.zeros(2), np.ones(2)
    layer.learn(np.array([[5.0, 1.0], [5.0, 3.0]]))
    assert layer.mean.tolist() == [5, 2]
    assert layer.std.tolist() == [1, 1]


@pytest.mark.parametrize("task", ["classes", "values"])
def test_a_row_of_weight_two_counts_as_two_rows(tmp_path: Path, task: str) -> None:
    """The very same weights come out, where the batch is the whole split."""
    rng = np.random.default_rng(1)
    a, b = rng.normal(size=(2, 40))
    w = rng.integers(1, 4, 40)
    y = a * b if task == "values" else np.where(a > b, "yes", "no")
    layers: Callable[[], list[Any]] = lambda: (  # noqa: E731
        [{"type": "dense", "units": 2, "activation": "softmax"}]
        if task == "classes"
        else [{"type": "dense", "units": 1}]
    )
    loss, again = ("cross_entropy" if task == "classes" else "mse"), np.repeat(np.arange(40), w)
    whole = {"target": "y", "splits": {"train": "100%"}, "features": ["a", "b"]}
    weighed = trained(
        write(tmp_path / "w.csv", a=a, b=b, y=y, w=w), tmp_path / "1", layers(), loss, sample_weight="w", **whole
    )
    repeated = trained(
        write(tmp_path / "r.csv", a=a[again], b=b[again], y=y[again]), tmp_path / "2", layers(), loss, **whole
    )
    one, two = (load(run.path).network.parameters for run in (weighed, repeated))
    for name in one:
        np.testing.assert_allclose(one[name], two[name], rtol=1e-9)
    first, second = (evaluate_run(run, "train")["metrics"]["loss"] for run in (weighed, repeated))
    assert first == pytest.approx(second, rel=1e-9)
    assert evaluate_file(load(weighed.path), tmp_path / "w.csv")["metrics"]["loss"] == pytest.approx(first, rel=1e-9)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        (["1", "x"], "expected numbers of at least 0"),
        (["1", "-2"], r"row 2: -2\.0; expected"),
        ([0, 0], "some that count"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, weights: list[str], words: str) -> None:
    path = write(tmp_path / "d.csv", a=[1.5, 2.5], y=[1.5, 3.5], w=weights)
    with pytest.raises(DataError, match=words):
        trained(path, tmp_path / "run", [{"type": "dense", "units": 1}], "mse", target="y", sample_weight="w")


def test_balanced_class_weights_are_those_of_scikit_learn_and_stand_in_the_run(tmp_path: Path) -> None:
    weights = pytest.importorskip("sklearn.utils.class_weight").compute_class_weight
    labels = np.array(["a"] * 5 + ["b"] * 3 + ["c"] * 2)
    path = write(tmp_path / "d.csv", x=np.arange(10) / 7, y=labels)
    layers = [{"type": "dense", "units": 3, "activation": "softmax"}]
    loss = {"type": "cross_entropy", "class_weights": "balanced"}
    run = trained(path, tmp_path / "run", layers, loss, target="y", splits={"train": "100%"})
    kept = load_config(run.config).loss.class_weights
    expected = weights("balanced", classes=np.unique(labels), y=labels)
    np.testing.assert_allclose([kept[label] for label in "abc"], expected, rtol=1e-9)
    with pytest.raises(ConfigError, match="counts classes, and the targets are numbers"):
        trained(
            path,
            tmp_path / "no",
            [{"type": "dense", "units": 1}],
            {"type": "bce", "class_weights": "balanced"},
            target="x",
            features=["y"],
        )


def test_ordered_classes_keep_their_order(tmp_path: Path) -> None:
    order = ["low", "mid", "high"]
    path = write(tmp_path / "d.csv", x=np.arange(30) / 10, y=np.repeat(order, 10))
    layers = [{"type": "dense", "units": 3, "activation": "softmax"}]
    run = trained(
        path,
        tmp_path / "run",
        layers,
        "rps",
        target="y",
        classes=order,
        metrics=[{"type": "kappa", "weights": "quadratic"}],
    )
    assert load(run.path).classes == order
    assert evaluate_run(run)["classes"] == order
    with pytest.raises(DataError, match=r"row 21: label 'high' is none of dataset\.classes: low, mid"):
        trained(path, tmp_path / "no", layers, "rps", target="y", classes=order[:2])
    with pytest.raises(DataError, match="orders labels, and the target is a number"):
        trained(path, tmp_path / "no", layers, "rps", target="x", classes=order)
