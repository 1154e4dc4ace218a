"""`load(…)` from Python: whatever holds rows goes in, classes or values come out."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import backprop_cli
from backprop_cli import build, load, load_config, train
from backprop_cli.errors import BpError, CheckpointError, ConfigError, DataError, UsageError
from backprop_cli.model.model import Model

IRIS: dict[str, Any] = {
    "dataset": {"source": "sample", "name": "iris", "transforms": ["standardize"]},
    "architecture": [{"type": "dense", "units": 8, "activation": "tanh"}, {"type": "dense", "units": 3}],
    "loss": {"type": "cross_entropy", "from_logits": True},
    "trainer": {"epochs": 5},
}


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(train(IRIS, run_dir=tmp_path_factory.mktemp("iris") / "run")["run_dir"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    rows = [f"{i % 9},{'blue' if i % 2 else 'red'},{'odd' if i % 2 else 'even'}" for i in range(60)]
    (folder / "t.csv").write_text("v,colour,kind\n" + "\n".join(rows) + "\n")
    config = {
        "dataset": {"source": "files", "path": str(folder / "t.csv"), "target": "kind"},
        "architecture": [{"type": "dense", "units": 1, "activation": "sigmoid"}],
        "loss": "binary_crossentropy",
        "optimizer": {"type": "adam", "learning_rate": 0.1},
        "trainer": {"epochs": 30},
    }
    return Path(train(config, run_dir=folder / "run")["run_dir"])


def test_what_there_is() -> None:
    assert {"load", "train", "load_config", "build"} <= set(dir(backprop_cli))
    assert all(getattr(backprop_cli, name) is not None for name in dir(backprop_cli))
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        _ = backprop_cli.lode


def test_a_config_is_a_dict_as_well_as_a_file(tmp_path: Path) -> None:
    cfg = load_config(IRIS, overrides=["trainer.epochs=7"])
    assert cfg.trainer.epochs == 7 and cfg.path is None and build.network(cfg).output_shape == (3,)
    with pytest.raises(ConfigError, match=r"architecture\.0\.units: expected a whole number > 0, got 'many'"):
        load_config({**IRIS, "architecture": [{"type": "dense", "units": "many"}]})
    with pytest.raises(ConfigError, match="missing key 'loss'"):
        load_config({key: value for key, value in IRIS.items() if key != "loss"})
    (tmp_path / "c.yaml").write_text("extends: nothing.yaml\n")
    with pytest.raises(ConfigError, match="only a file can extend another"):
        load_config({"extends": "c.yaml", **IRIS})
    assert train(cfg, run_dir=tmp_path / "from-config")["epochs"] == 7
    assert IRIS["dataset"] == {"source": "sample", "name": "iris", "transforms": ["standardize"]}


def test_arrays_and_logits(iris: Path) -> None:
    model = load(iris)
    x = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
    answers, p, z = model.predict(x), model.predict_proba(x), model.outputs(x)
    assert p.sum(axis=1) == pytest.approx([1, 1]) and not np.allclose(z, p)
    assert np.array_equal(answers, np.array(model.classes)[z.argmax(axis=1)])
    assert np.array_equal(model.predict(x[0]), answers[:1])  # a single row
    assert np.array_equal(model.predict(x.tolist()), answers)
    assert np.array_equal(model.predict(pd.DataFrame(x, columns=model.needs)), answers)
    assert np.array_equal(model.predict(pd.DataFrame(x[:, ::-1], columns=model.needs[::-1])), answers)
    with pytest.raises(DataError, match=r"rows of shape \(5,\); the network was trained on rows of shape \(4,\)"):
        model.predict(np.zeros((2, 5)))
    with pytest.raises(DataError, match="row 2: a value that is no finite number"):
        model.predict([[1, 2, 3, 4], [1, float("nan"), 3, 4]])
    with pytest.raises(DataError, match="rows of different lengths"):
        model.predict([[1, 2, 3, 4], [1, 2]])
    with pytest.raises(DataError, match="expected numbers"):
        model.predict([["a", "b", "c", "d"]])


def test_tables(table: Path) -> None:
    model = load(table)
    rows = [{"v": 1, "colour": "blue"}, {"colour": "red", "v": 2.5}]
    answers = ["odd", "even"]
    assert model.predict(rows).tolist() == answers and model.predict(rows[0]).tolist() == ["odd"]
    frame = pd.DataFrame({"colour": pd.Categorical(["blue", "red"]), "note": "x", "v": [1, 2]})
    assert model.predict(frame).tolist() == answers
    assert model.predict_proba(frame).shape == (2, 2)
    assert model.predict_proba(frame).argmax(axis=1).tolist() == [1, 0]
    path = table.parent / "new.csv"
    frame.to_csv(path, index=False)
    assert model.predict(path).tolist() == answers
    for data, said in (
        ([{"v": 1}], "no column 'colour'"),
        ([{"v": "x", "colour": "red"}], "row 1, column 'v': 'x'; expected a number"),
        ([{"v": 1, "colour": "green"}], "category 'green' never occurs"),
        ([{"v": None, "colour": "red"}], "fill it in, or train with dataset.missing: mean or drop"),
    ):
        with pytest.raises(DataError) as caught:
            model.predict(data, strict=True)
        assert said in str(caught.value)


def test_a_model_says_what_it_is(table: Path, iris: Path) -> None:
    about = load(table).describe()
    assert about["inputs"] == ["v", "colour"] and about["outputs"] == ["p(odd)"] and about["parameters"] == 4
    assert about["data"]["table"]["categories"] == {"colour": ["blue", "red"]}
    assert load(iris).describe()["data"]["shape"] == [4] or load(iris).describe()["data"]["shape"] == (4,)
    assert "parameters" in repr(load(iris))


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_copies_answer_the_same(table: Path, again: Any) -> None:
    model = load(table)
    twin: Model = again(model)
    rows = [{"v": 1, "colour": "blue"}, {"colour": "red", "v": 2.5}]
    assert np.array_equal(twin.outputs(rows), model.outputs(rows))
    model.network.store.values[...] = 0
    assert not np.array_equal(twin.outputs(rows), model.outputs(rows))


def test_what_cannot_be_loaded_is_one_line(tmp_path: Path, iris: Path) -> None:
    (tmp_path / "empty.safetensors").touch()
    for source, kind in (
        ("none.safetensors", CheckpointError),
        (tmp_path / "empty.safetensors", CheckpointError),
        ("no-such-run", UsageError),
        (tmp_path, UsageError),
    ):
        with pytest.raises(kind) as caught:
            load(source)
        assert "\n" not in str(caught.value)
    assert load(iris, "last").path == iris / "checkpoints" / "last.safetensors"
    with pytest.raises(BpError):
        load(iris, "nonesuch.safetensors")
    with pytest.raises(UsageError, match="is the file of a model already"):
        load(iris / "checkpoints" / "best.safetensors", "last")


def test_values_have_no_probability(tmp_path: Path) -> None:
    config = {
        **IRIS,
        "dataset": {"source": "sample", "name": "diabetes"},
        "architecture": [{"type": "dense", "units": 1}],
    }
    model = load(train({**config, "loss": "mse", "trainer": {"epochs": 1}}, run_dir=tmp_path / "run")["run_dir"])
    assert model.predict(np.zeros((3, 10))).shape == (3,) and model.outputs(np.zeros((3, 10))).shape == (3, 1)
    with pytest.raises(UsageError, match="its outputs are values"):
        model.predict_proba(np.zeros((3, 10)))


PLACES = "place,when,size,y\n" + "".join(
    f"{'sea' if i % 2 else 'hill'},2024-03-{i + 1:02},{i},{i % 2}\n" for i in range(20)
)


@pytest.fixture
def places(tmp_path: Path) -> Model:
    (tmp_path / "places.csv").write_text(PLACES)
    config = {
        "dataset": {
            "source": "files", "path": str(tmp_path / "places.csv"), "target": "y",
            "columns": {"when": {"parts": ["day"]}},
        },
        "architecture": [{"type": "dense", "units": 2, "activation": "softmax"}],
        "loss": "cross_entropy",
        "trainer": {"epochs": 1},
    }  # fmt: skip
    made = train(config, run_dir=str(tmp_path / "run"), runs=str(tmp_path))
    return load(made["run_dir"], runs=str(tmp_path))


def test_a_frame_as_pandas_reads_it(places: Model, tmp_path: Path) -> None:
    """Its texts are large strings, its dates texts or moments, its categories codes; a dict may hold columns."""
    path = tmp_path / "places.csv"
    expected = places.outputs(path)
    frame = pd.read_csv(path)
    for data in (
        frame,
        frame.astype({"place": "category"}),
        pd.read_csv(path, parse_dates=["when"]),
        frame.to_dict("list"),
        frame.to_dict("records"),
        {name: frame[name].to_numpy() for name in frame},
    ):
        np.testing.assert_array_equal(places.outputs(data), expected)
    with pytest.raises(DataError, match="columns of different lengths"):
        places.predict({"place": ["sea", "hill"], "when": ["2024-03-01"], "size": [1, 2]})


def test_a_category_that_is_new_is_warned_of_or_refused(places: Model) -> None:
    row = {"place": "moon", "when": "2024-03-01", "size": 2}
    for ask in (places.predict, places.predict_proba, places.outputs):
        with pytest.warns(
            UserWarning, match=r"column 'place': 1 value in categories .* not learnt \('moon'\)"
        ) as caught:
            ask(row)
        assert [Path(each.filename) for each in caught] == [Path(__file__)]
        with pytest.raises(DataError, match="'moon' never occurs"):
            ask(row, strict=True)


def test_no_rows_are_said_to_be_none(places: Model) -> None:
    with pytest.raises(DataError, match=r"^input: no rows$"):
        places.predict(np.zeros((0, 4)))
    assert places.predict(np.array([[1, 0, 3, 4]], object)).shape == (1,)
