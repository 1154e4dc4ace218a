"""`--to onnx` of tables: every plan of a column gives what bp makes of it, and what bp refuses becomes NaN."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pandas as pd
import pytest

from backprop_cli.commands.export import dates
from backprop_cli.commands.export.export import export
from backprop_cli.commands.export.graph import Graph, value
from backprop_cli.config import load_config
from backprop_cli.data.files.features import _parts
from backprop_cli.errors import DataError
from backprop_cli.model.build import prepare
from backprop_cli.model.model import Model
from tests.commands.export.conftest import columns, near, onnx_outputs, session

PARTS = ["year", "quarter", "month", "day", "weekday", "day_of_year", "hour", "minute", "days"]


@pytest.fixture
def table() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 200
    return pd.DataFrame({
        "a": np.round(np.exp(rng.normal(size=n)) * rng.choice([-1, 1], n), 1),
        "gap": np.where(rng.random(n) < 0.2, np.nan, rng.normal(50, 9, n).round(2)),
        "small": rng.uniform(1e-7, 1e-6, n),
        "city": rng.choice(["Bonn", "Köln", "Ulm", "Wien", None], n, p=[0.5, 0.3, 0.07, 0.03, 0.1]),
        "when": pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 3 * 365 * 24 * 60, n), unit="min"),
        "yes": rng.choice(["ja", "nein"], n),
        "said": rng.choice(["Quiet, and bright.", "bright bright kitchen", "Old house; QUIET", "!"], n),
        "y": rng.normal(size=n),
    })  # fmt: skip


def made(folder: Path, table: pd.DataFrame, plans: dict[str, Any], **dataset: Any) -> tuple[Model, Path]:
    """A model of some columns of the table, exported."""
    table.to_csv(folder / "t.csv", index=False)
    embedded = any(each.get("encoding") == "embedding" for each in plans.values())
    dataset = {"features": [*plans], "columns": {name: plan for name, plan in plans.items() if plan}, **dataset}
    cfg = load_config({
        "dataset": {"source": "files", "path": str(folder / "t.csv"), "target": "y", **dataset},
        "architecture": [
            *([{"type": "category_embedding", "dimension": 2}] if embedded else []),
            {"type": "dense", "units": 5, "activation": "tanh"}, {"type": "dense", "units": 1},
        ],
        "loss": "mse",
    })  # fmt: skip
    ready = prepare(cfg)
    model = Model(ready.description, ready.network, ready.transforms, cfg.loss, cfg.trainer.metrics)
    return model, export(model, "onnx", folder / "m.onnx").path


@pytest.mark.parametrize(
    "plans",
    [
        {"a": {"scale": "quantile"}, "gap": {"scale": "quantile", "missing": "mean"}},
        {"a": {"scale": "log"}, "gap": {"scale": "robust", "missing": "median", "flag": True}},
        {"a": {"scale": "standard"}, "small": {"scale": "log"}},
        {"when": {"type": "date", "parts": PARTS[:-1]}},
        {"when": {"type": "date", "parts": ["minute", "days"], "missing": "mean", "flag": True}},
        {"when": {"type": "date", "scale": "standard"}, "yes": {"type": "boolean"}},
        {"city": {"encoding": "one_hot", "missing": "category", "flag": True}},
        {"city": {"encoding": "one_hot", "missing": "most_frequent", "rare": 20}},
        {"city": {"encoding": "target", "missing": "category", "flag": True}},
        {"city": {"encoding": "embedding", "missing": "category", "rare": 20}, "a": {}},
        {"city": {"encoding": "integer", "missing": "most_frequent"}},
        {"said": {"type": "text", "words": 4, "flag": True}, "a": {}},
    ],
    ids=str,
)
def test_a_plan_of_a_column_is_part_of_the_model(plans: dict[str, Any], table: pd.DataFrame, tmp_path: Path) -> None:
    if "when" in plans and "missing" in plans["when"]:
        table.loc[::7, "when"] = pd.NaT
    model, path = made(tmp_path, table, plans, transforms=["standardize"] if "when" in plans else [])
    near(onnx_outputs(path, columns(path, table)), model.outputs(tmp_path / "t.csv"))


@pytest.mark.large
def test_parts_of_any_day_are_those_of_the_calendar() -> None:
    graph = Graph()
    x = graph.input("x", "float64")
    found = [graph.cast(each, "float64") for each in dates.parts(graph, x, PARTS)]
    graph.finish(graph.add("Concat", *found, axis=1), "y")
    proto = graph.model([value("x", "float64", ["n", 1])], value("y", "float64", ["n", len(PARTS)]), {}, "test")
    onnx.checker.check_model(proto, full_check=True)
    import onnxruntime

    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    days = np.concatenate([np.arange(-200_000, 200_000), np.random.default_rng(0).uniform(-2e5, 2e5, 50_000)])
    np.testing.assert_array_equal(session.run(None, {"x": days[:, None]})[0], _parts(days, PARTS))


@pytest.mark.parametrize(
    ("plans", "options", "row"),
    [
        ({"city": {"unseen": "error", "missing": "most_frequent"}}, {}, {"city": "Rom"}),
        ({"city": {"encoding": "embedding", "missing": "category"}}, {}, {"city": "Rom"}),
        ({"city": {"encoding": "target", "missing": "category"}}, {}, {"city": "Rom"}),
        ({"city": {}, "a": {}}, {"categories": "integer", "missing": "mean"}, {"city": "Rom"}),
        ({"yes": {"type": "boolean"}}, {}, {"yes": "maybe"}),
        ({"yes": {"type": "boolean"}}, {}, {"yes": None}),
        ({"yes": {}}, {}, {"yes": None}),
        ({"yes": {"rare": 2}}, {}, {"yes": None}),
        ({"when": {"type": "date", "parts": ["month"]}}, {}, {"when": None}),
        ({"a": {"scale": "quantile"}}, {}, {"a": None}),
        ({"a": {}, "yes": {}}, {}, {"a": None}),
    ],
    ids=str,
)
def test_a_row_that_bp_refuses_gets_nan(
    plans: dict[str, Any], options: dict[str, Any], row: dict[str, Any], table: pd.DataFrame, tmp_path: Path
) -> None:
    """Without a word the code −1 would be a number, the zero vector, or the last row of a table."""
    model, path = made(tmp_path, table, plans, **options)
    good = table.iloc[:2].copy()
    good["city"] = "Bonn"
    bad = good.assign(**{name: pd.Series([good[name].iloc[0], said], good.index) for name, said in row.items()})
    with pytest.raises(DataError):
        model.outputs(bad)
    found = onnx_outputs(path, columns(path, bad))
    assert np.isnan(found[1]).all()
    near(found[:1], model.outputs(good.iloc[:1]))


def test_a_column_may_be_called_like_the_output(table: pd.DataFrame, tmp_path: Path) -> None:
    renamed = table.rename(columns={"a": "output", "yes": "input"})
    model, path = made(tmp_path, renamed, {"output": {}, "input": {}})
    opened = columns(path, renamed)
    import onnxruntime

    (found,) = onnxruntime.InferenceSession(path).run(["output_"], opened)
    near(found, model.outputs(tmp_path / "t.csv"))


def test_units_go_along(table: pd.DataFrame, tmp_path: Path, bp: Any) -> None:
    """A unit alone makes no plan of a column; of a target nothing else can be said."""
    plans = {"a": {"unit": "m²"}, "gap": {"unit": "°C", "missing": "mean"}}
    units = {**plans, "y": {"unit": "EUR"}}
    model, path = made(tmp_path, table, {"a": {}, "gap": {}}, columns=units)
    assert json.loads(session(path).get_modelmeta().custom_metadata_map["units"]) == {
        "a": "m²",
        "gap": "°C",
        "y": "EUR",
    }
    assert model.description.data.table is not None and [*model.description.data.table.plans] == ["gap"]
    assert model.describe()["data"]["table"]["units"]["y"] == "EUR"
    with pytest.raises(DataError, match=r"columns\.y: 'y' is a target, for which only the unit can be given"):
        made(tmp_path, table, {"a": {}}, columns={"y": {"unit": "EUR", "scale": "log"}})
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: t.csv, target: y, features: [a], columns: {y: {unit: EUR}}}\n"
        "architecture: [{type: dense, units: 1}]\nloss: mse\ntrainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    assert bp("predict", "run", "t.csv", "--json").json["units"] == {"y": "EUR"}
