"""Columns as features: held against scikit-learn and pandas, learnt on train alone, kept with the model."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.data.dataset import Dataset
from backprop_cli.data.fingerprint import fingerprint
from backprop_cli.data.inputs import read_inputs, rows_of
from backprop_cli.data.settled import schema_of
from backprop_cli.errors import DataError
from backprop_cli.registry import make

preprocessing = pytest.importorskip("sklearn.preprocessing")


def load(path: Path, columns: dict[str, Any], **options: Any) -> Dataset:
    options = {"target": "y", "columns": columns, "features": list(columns), **options}
    source = make("source", {"source": "files", "path": path, **options}, key="source")
    return source.load(0, path.parent)  # type: ignore[no-any-return]  # a source's


@pytest.fixture
def frame() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 300
    when = pd.Timestamp("2019-01-01") + pd.to_timedelta(rng.integers(0, 3 * 365 * 24 * 60, n), unit="min")
    frame = pd.DataFrame({
        "a": np.exp(rng.normal(size=n)) * rng.choice([-1, 1], n),
        "gap": np.where(rng.random(n) < 0.2, np.nan, rng.normal(50, 9, n)),
        "city": rng.choice(["Bonn", "Köln", "Ulm", "Wien"], n, p=[0.5, 0.4, 0.07, 0.03]),
        "when": when,
        "yes": rng.choice(["ja", "nein"], n),
        "y": rng.normal(size=n),
    })  # fmt: skip
    frame.loc[0, "a"] = 1e6
    return frame


def parts(frame: pd.DataFrame, path: Path, columns: dict[str, Any], **options: Any) -> tuple[Dataset, pd.DataFrame]:
    """The dataset, and the training rows of the frame, in its order."""
    frame.to_csv(path, index=False)
    dataset = load(path, columns, **options)
    return dataset, frame.iloc[dataset.splits["train"].rows]


def every(dataset: Dataset, frame: pd.DataFrame) -> list[tuple[np.ndarray, pd.DataFrame]]:
    return [(split.x, frame.iloc[split.rows]) for split in dataset.splits.values()]


@pytest.mark.parametrize("scale", ["standard", "log", "quantile", "robust"])
def test_scaling_is_that_of_scikit_learn_fitted_on_train(frame: pd.DataFrame, tmp_path: Path, scale: str) -> None:
    dataset, train = parts(frame, tmp_path / "t.csv", {"a": {"scale": scale}})
    log = preprocessing.FunctionTransformer(lambda v: np.sign(v) * np.log1p(np.abs(v)))
    theirs = {
        "standard": preprocessing.StandardScaler(),
        "robust": preprocessing.RobustScaler(),
        "quantile": preprocessing.QuantileTransformer(n_quantiles=len(train)),
        "log": __import__("sklearn.pipeline").pipeline.make_pipeline(log, preprocessing.StandardScaler()),
    }[scale].fit(train[["a"]].to_numpy())
    for x, rows in every(dataset, frame):
        np.testing.assert_allclose(x, theirs.transform(rows[["a"]].to_numpy()), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("missing", ["mean", "median", "zero"])
def test_gaps_are_filled_from_train_and_flagged(frame: pd.DataFrame, tmp_path: Path, missing: str) -> None:
    dataset, train = parts(frame, tmp_path / "t.csv", {"gap": {"missing": missing, "flag": True}})
    fill = {"mean": train["gap"].mean(), "median": train["gap"].median(), "zero": 0.0}[missing]
    assert dataset.features == ["gap", "gap is missing"]
    for x, rows in every(dataset, frame):
        np.testing.assert_allclose(x, np.stack([rows["gap"].fillna(fill), rows["gap"].isna()], 1), rtol=1e-12)


def test_parts_of_dates_are_those_of_pandas(frame: pd.DataFrame, tmp_path: Path) -> None:
    names = ["year", "quarter", "month", "day", "weekday", "day_of_year", "hour", "minute"]
    dataset, _ = parts(frame, tmp_path / "t.csv", {"when": {"type": "date", "parts": names}})
    for x, rows in every(dataset, frame):
        theirs = [getattr(rows["when"].dt, name.replace("weekday", "day_of_week")) for name in names]
        np.testing.assert_array_equal(x, np.stack(theirs, 1))


@settings(max_examples=30, deadline=None)
@given(
    moments=st.lists(
        st.datetimes(pd.Timestamp("1902-01-01").to_pydatetime(), pd.Timestamp("2100-12-31").to_pydatetime()),
        min_size=1,
        max_size=9,
    )
)
def test_any_moment_has_the_parts_that_python_says(moments: list[Any]) -> None:
    from backprop_cli.data.files.features import _parts

    moments = [each.replace(second=0, microsecond=0) for each in moments]
    days = np.array([(each - pd.Timestamp(0).to_pydatetime()).total_seconds() / 86_400 for each in moments])
    found = _parts(days, ["year", "month", "day", "weekday", "hour", "minute"])
    assert found.tolist() == [[m.year, m.month, m.day, m.weekday(), m.hour, m.minute] for m in moments]


def test_rare_and_unseen_categories_are_other_as_in_scikit_learn(frame: pd.DataFrame, tmp_path: Path) -> None:
    dataset, train = parts(frame, tmp_path / "t.csv", {"city": {"rare": 20}})
    theirs = preprocessing.OneHotEncoder(min_frequency=20, handle_unknown="infrequent_if_exist", sparse_output=False)
    theirs.fit(train[["city"]].to_numpy())
    assert dataset.features == ["city=Bonn", "city=Köln", "city=other"]
    for x, rows in every(dataset, frame):
        np.testing.assert_array_equal(x, theirs.transform(rows[["city"]].to_numpy()))
    new = rows_of([{"city": "Rom"}, {"city": "Bonn"}], schema_of(dataset))
    assert new.x.tolist() == [[0, 0, 1], [1, 0, 0]]


@pytest.mark.large
@pytest.mark.parametrize("task", ["values", "binary", "classes"])
def test_target_encoding_is_that_of_scikit_learn_and_blind_to_its_own_row(
    frame: pd.DataFrame, tmp_path: Path, task: str
) -> None:
    if task != "values":
        frame["y"] = np.random.default_rng(1).choice(["a", "b", "c"][: 2 + (task == "classes")], len(frame))
    dataset, train = parts(frame, tmp_path / "t.csv", {"city": {"encoding": "target", "smooth": 7}})
    theirs = preprocessing.TargetEncoder(
        smooth=7, target_type={"values": "continuous", "binary": "binary", "classes": "multiclass"}[task]
    )
    theirs.fit(train[["city"]].to_numpy(), train["y"])
    for name in ("validation", "test"):
        split = dataset.splits[name]
        np.testing.assert_allclose(split.x, theirs.transform(frame.iloc[split.rows][["city"]].to_numpy()), rtol=1e-9)
    mine = dataset.splits["train"].x
    assert not np.allclose(mine, theirs.transform(train[["city"]].to_numpy()))
    changed = frame.copy()
    row = int(dataset.splits["train"].rows[0])
    changed.loc[row, "y"] = 1e6 if task == "values" else next(each for each in "ab" if each != frame.loc[row, "y"])
    again, _ = parts(changed, tmp_path / "c.csv", {"city": {"encoding": "target", "smooth": 7}}, stratify=False)
    before, _ = parts(frame, tmp_path / "t.csv", {"city": {"encoding": "target", "smooth": 7}}, stratify=False)
    where = int(np.flatnonzero(again.splits["train"].rows == row)[0]) if row in again.splits["train"].rows else None
    if where is not None:
        np.testing.assert_array_equal(again.splits["train"].x[where], before.splits["train"].x[where])


@pytest.mark.parametrize("labels", [None, ["a", "b"], ["a", "b", "c"]])
def test_target_encoding_is_the_same_when_a_model_reads_its_own_data_again(
    frame: pd.DataFrame, tmp_path: Path, labels: list[str] | None
) -> None:
    if labels:
        frame["y"] = np.random.default_rng(1).choice(labels, len(frame))
    columns = {"city": {"encoding": "target"}, "gap": {"missing": "median"}}
    frame.to_csv(tmp_path / "t.csv", index=False)
    source = make(
        "source",
        {"source": "files", "path": tmp_path / "t.csv", "target": "y", "columns": columns, "features": [*columns]}
        | {"splits": {"train": "60%", "validation": "20%", "test": "20%"}},
        key="source",
    )
    first = source.load(0, tmp_path)
    again = source.load(0, tmp_path, known=schema_of(first))
    assert len(np.unique(first.splits["train"].x[:, 0])) > 4  # one mean a fold and category
    for name, split in first.splits.items():
        np.testing.assert_array_equal(again.splits[name].x, split.x)
    assert fingerprint(again) == fingerprint(first)


def test_only_the_training_split_is_learnt_from(frame: pd.DataFrame, tmp_path: Path) -> None:
    columns = {
        "gap": {"missing": "mean", "scale": "standard"},
        "city": {"encoding": "integer", "unseen": "other"},
        "a": {"scale": "quantile"},
    }
    dataset, _ = parts(frame, tmp_path / "t.csv", columns)
    assert dataset.table is not None
    other = frame.copy()
    outside = np.concatenate([dataset.splits[name].rows for name in ("validation", "test")])
    other.loc[outside, "gap"], other.loc[outside, "city"], other.loc[outside, "a"] = 1e9, "Rom", -1e9
    changed, _ = parts(other, tmp_path / "o.csv", columns)
    assert changed.table is not None
    assert changed.table.plans == dataset.table.plans
    np.testing.assert_array_equal(changed.splits["train"].x, dataset.splits["train"].x)
    assert {*changed.splits["test"].x[:, 1]} == {len(dataset.table.plans["city"].categories)}


def test_a_model_reads_new_rows_as_training_did(frame: pd.DataFrame, tmp_path: Path) -> None:
    columns = {"gap": {"missing": "median", "flag": True},
               "city": {"encoding": "embedding", "rare": 5}, "yes": {"type": "boolean"},
               "when": {"parts": ["month", "hour"]}, "a": {"scale": "log"}}  # fmt: skip
    dataset, _ = parts(frame, tmp_path / "t.csv", columns)
    schema = type(schema_of(dataset)).model_validate_json(schema_of(dataset).model_dump_json())
    split = dataset.splits["test"]
    np.testing.assert_array_equal(read_inputs(tmp_path / "t.csv", schema).x[split.rows], split.x)
    np.testing.assert_array_equal(rows_of(frame.drop(columns="y"), schema).x[split.rows], split.x)
    records = [{"gap": None, "city": "Rom", "yes": "ja", "when": "2024-03-04 10:30:00", "a": 1.5}]
    (x,) = rows_of(records, schema).x
    assert x[1] == 1
    assert x[3] == 1
    assert x[4:6].tolist() == [3, 10]


def test_words_of_a_text_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('t,y\n"good good film",1.5\n"bad film",2.5\n"good, cheap",0.5\n')
    dataset = load(path, {"t": {"type": "text", "words": 2}}, splits={"train": "100%"})
    assert dataset.features == ["t:film", "t:good"] or dataset.features == ["t:good", "t:film"]
    split = dataset.splits["train"]
    good = split.x[np.argsort(split.rows), dataset.features.index("t:good")]
    np.testing.assert_allclose(good, np.log1p([2, 0, 1]))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            {"agee": {"type": "number"}, "city": {"type": "category", "scale": "log"}},
            "no such column.*\n.*columns.city.scale means nothing for a category",
        ),
        ({"gap": {"type": "number"}}, r"column 'gap': no value \(a feature"),
        ({"gap": {"missing": "most_frequent", "type": "number"}}, "missing: most_frequent means nothing for a number"),
        (
            {"city": {"type": "number"}},
            r"row 1, column 'city': '\w+' is not a number; repair it, or set type: category",
        ),
        ({"city": {"type": "boolean"}}, r"column 'city': .* are 4 values; a boolean has two"),
        ({"city": {"type": "date"}}, r"column 'city': '\w+' is not a date; set dataset.dates"),
        ({"when": {"parts": ["month"], "scale": "log"}}, "scale means nothing beside parts"),
    ],
)
def test_every_mistake_is_told_with_what_to_do(
    frame: pd.DataFrame, tmp_path: Path, columns: dict[str, Any], words: str
) -> None:
    frame.to_csv(tmp_path / "t.csv", index=False)
    with pytest.raises(DataError, match=words):
        load(tmp_path / "t.csv", columns, features=[name for name in columns if name in frame])


def test_a_category_that_train_lacks_is_an_error_for_codes_unless_other_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("c,y\np,1.5\nq,2.5\n")
    (tmp_path / "b.csv").write_text("c,y\np,1.5\nr,2.5\n")
    files = {"splits": {"train": "a.csv", "test": "b.csv"}}
    with pytest.raises(
        DataError, match=r"b\.csv, row 2, column 'c': category 'r' is none .* p, q; dataset\.columns\.c\.unseen: other"
    ):
        load(tmp_path, {"c": {"encoding": "embedding"}}, **files)
    dataset = load(tmp_path, {"c": {"encoding": "embedding", "unseen": "other"}}, **files)
    assert dataset.splits["test"].x.tolist() == [[0], [-1]]
    dataset = load(tmp_path, {"c": {"encoding": "integer", "unseen": "other"}}, **files)
    assert dataset.splits["test"].x.tolist() == [[0], [2]]


def test_rows_keep_their_numbers_where_others_are_dropped(frame: pd.DataFrame, tmp_path: Path) -> None:
    dataset, _ = parts(frame, tmp_path / "t.csv", {"gap": {"missing": "drop"}})
    for x, rows in every(dataset, frame):
        np.testing.assert_allclose(x[:, 0], rows["gap"], rtol=1e-12)
    assert sum(len(split) for split in dataset.splits.values()) == frame["gap"].notna().sum()
