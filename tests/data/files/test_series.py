"""Series: windows against a slow reference, no row on two sides, what was learnt learnt in training, predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli import load
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.commands.file_evaluation import evaluate_file
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.data.dataset import Dataset
from backprop_cli.data.files.series import Track, windows
from backprop_cli.data.stream import Stream
from backprop_cli.errors import DataError
from backprop_cli.registry import make
from backprop_cli.runs.directory import RunDirectory

SHARES = {"train": "60%", "validation": "20%", "test": "20%"}
OPTIONS = {"target": "load", "time": "t", "by": "town", "window": 4, "horizon": 2, "splits": SHARES}
TRAINED = """
dataset: {source: files, path: t.csv, target: load, time: t, by: town, window: 4, horizon: 2,
  splits: {train: 60%, validation: 20%, test: 20%},
  transforms: [standardize]}
architecture: [flatten, {type: dense, units: 2}, unscale]
loss: mse
trainer: {epochs: 2, metrics: [mae]}
"""


def source(path: Path, seed: int = 0, **options: Any) -> Dataset:
    made = make("source", {"source": "files", "path": path, **options}, key="source")
    return made.load(seed, path.parent)  # type: ignore[no-any-return]  # a source's


def table(folder: Path, hours: int = 60, skip: tuple[int, ...] = ()) -> Path:
    """Two towns, hour by hour, shuffled: load is 100 t in the first and 100 t + 50 in the second, warm is −t."""
    rows = [
        f"{t},{town},{-t},{100 * t + 50 * k}"
        for t in range(hours)
        for k, town in enumerate(("A", "B"))
        if not (town == "B" and t in skip)
    ]
    np.random.default_rng(0).shuffle(rows)
    path = folder / "t.csv"
    path.write_text("t,town,warm,load\n" + "\n".join(rows) + "\n")
    return path


def test_a_window_is_what_was_and_its_targets_are_what_came(tmp_path: Path) -> None:
    found = source(table(tmp_path), **OPTIONS)
    assert found.features == ["warm", "load"]
    assert found.targets == ["load +1", "load +2"]
    for split in found.splits.values():
        assert split.x.shape[1:] == (4, 2)
        load_, warm = split.x[..., 1], split.x[..., 0]
        np.testing.assert_array_equal(np.diff(load_, axis=1), 100)
        np.testing.assert_array_equal(-100 * warm, load_ - load_ % 100)
        np.testing.assert_array_equal(split.y[:, 0], load_[:, -1] + 100)
        np.testing.assert_array_equal(split.y[:, 1], load_[:, -1] + 200)
        assert split.series is not None
        np.testing.assert_array_equal(load_[:, 0] % 100, np.where(split.series == "B", 50, 0))


def test_no_hour_of_a_split_is_in_another_whatever_the_town(tmp_path: Path) -> None:
    found = source(table(tmp_path), **OPTIONS)
    hours = {
        name: {*(split.x[..., 1] // 100).ravel().tolist(), *(split.y // 100).ravel().tolist()}
        for name, split in found.splits.items()
    }
    assert max(hours["train"]) < min(hours["validation"])
    assert max(hours["validation"]) < min(hours["test"])
    assert {name: len(split) for name, split in found.splits.items()} == {"train": 62, "validation": 14, "test": 14}
    assert "20 that would reach across two splits or a gap are left out" in found.notes[-1]


def test_what_is_learnt_comes_from_rows_of_the_training_split(tmp_path: Path) -> None:
    path = table(tmp_path)
    found = source(path, **OPTIONS, columns={"warm": {"scale": "standard"}})
    assert found.table is not None
    assert found.table.plans["warm"].center == pytest.approx(-17.5)  # of the hours 0 to 35
    lines = path.read_text().splitlines()
    lines[1 + next(i for i, line in enumerate(lines[1:]) if line.startswith("3,A"))] = "3,A,,300"
    path.write_text("\n".join(lines) + "\n")
    filled = source(path, **OPTIONS, missing="mean")
    assert filled.table is not None
    assert filled.table.fill["warm"] == pytest.approx(-(17.5 * 72 - 3) / 71)


def test_windows_do_not_reach_across_a_gap_which_is_said(tmp_path: Path) -> None:
    path = table(tmp_path, skip=(10, 11))
    found = source(path, **OPTIONS)
    own = found.splits["train"]
    assert own.series is not None
    of_b = own.x[own.series == "B"][..., 1] // 100
    assert not any({9, 12} <= {*row} for row in of_b.tolist())
    assert "1 gap in 't', the first after row" in found.notes[-1]
    across = source(path, **OPTIONS, gaps="ignore").splits["train"]
    assert len(across) == len(own) + 5


def test_a_row_that_is_dropped_leaves_a_gap(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("t,load\n" + "".join(f"{t},{'' if t in (3, 20) else t}\n" for t in range(60)))
    found = source(tmp_path / "t.csv", target="load", time="t", window=3, missing="drop", splits={"train": "100%"})
    own = found.splits["train"]
    assert own.rows is not None
    np.testing.assert_array_equal(own.y[:, 0], own.rows)  # the first row that is predicted, as the file counts
    assert len(own) == (20 - 4 - 3) + (60 - 21 - 3)
    assert "2 gaps in 't', the first after row 3;" in found.notes[-1]


def test_groups_and_files_are_splits_too(tmp_path: Path) -> None:
    path = table(tmp_path)
    shares = {"train": "50%", "test": "50%"}
    found = source(path, **{**OPTIONS, "splits": shares}, group="town")
    for split in found.splits.values():
        assert split.series is not None
        assert len({*split.series.tolist()}) == 1
        assert len(split) == 55
    files = source(path, **{**OPTIONS, "splits": {"train": path, "test": table(tmp_path / "..", 20)}})
    assert {name: len(split) for name, split in files.splits.items()} == {"train": 110, "test": 30}


def test_folds_of_a_series_come_after_what_they_learn_from(tmp_path: Path) -> None:
    shares = {"train": "80%", "validation": "20%"}
    for fold in (1, 2, 3):
        found = source(table(tmp_path, 200), **{**OPTIONS, "splits": shares}, folds=3, fold=fold).splits
        assert found["train"].y.max() < found["validation"].x[..., 1].min() + 100 < found["test"].x[..., 1].min() + 100


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 40)), min_size=1, max_size=60, unique=True),
    st.integers(1, 6),
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 9),
)
def test_windows_are_those_of_a_slow_walk(
    rows: list[tuple[int, int]], length: int, stride: int, split: bool, seed: int
) -> None:
    series = np.array([each[0] for each in rows])
    moments = np.array([each[1] for each in rows], float)
    parts = np.random.default_rng(seed).integers(0, 2, len(rows)) * (seed % 2)
    found = windows(
        Track(series, moments, np.arange(len(rows)), ["a", "b", "c"]),
        length,
        "split" if split else "ignore",
        stride,
        parts,
    )
    expected = []
    for each in range(3):
        own = sorted(np.flatnonzero(series == each), key=lambda i: moments[i])
        steps = np.diff(moments[own])
        run: list[int] = []
        for k, row in enumerate(own):
            far = k > 0 and split and steps[k - 1] > 1.5 * np.median(steps)
            if run and (far or parts[run[-1]] != parts[row]):
                run = []
            run.append(int(row))
            if len(run) >= length and (len(run) - length) % stride == 0:
                expected.append(run[-length:])
    got = [found.order[start : start + length].tolist() for start in found.starts]
    assert sorted(got) == sorted(expected)


def test_a_series_is_trained_measured_and_predicted(tmp_path: Path) -> None:
    path = table(tmp_path)
    (tmp_path / "c.yaml").write_text(TRAINED)
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    told = evaluate_run(RunDirectory(tmp_path / "run"), by=["town"], baseline=True)
    assert [row["group"] for row in told["by"]["town"]] == ["A", "B"]
    assert told["baselines"]["last"]["mae"] == pytest.approx(150)
    model = load(tmp_path / "run")
    whole = evaluate_file(model, path)
    assert whole["samples"] == 110
    rows = model.rows(path)
    assert [*rows.kept] == ["town", "t"]
    assert rows.x.shape == (114, 4, 2)
    last = [i for i, t in enumerate(rows.kept["t"].to_pylist()) if t == "59"]
    np.testing.assert_array_equal(sorted(rows.x[last][:, -1, 1]), [5900, 5950])
    import pyarrow.csv

    again = model.rows(pyarrow.csv.read_csv(path))
    np.testing.assert_array_equal(again.x, rows.x)
    np.testing.assert_allclose(model.outputs(rows), model.outputs(rows.x))


def test_predict_says_where_each_answer_begins(bp, tmp_path: Path) -> None:
    table(tmp_path)
    (tmp_path / "c.yaml").write_text(TRAINED)
    assert bp("train", "c.yaml", "--quiet", "--run-dir", "run").code == 0
    (tmp_path / "new.csv").write_text(
        "t,town,warm,load\n" + "".join(f"{t},A,{-t},{100 * t}\n" for t in range(60, 65)) + "60,B,-60,6050\n"
    )
    done = bp("predict", "run", "new.csv")
    lines = done.out.splitlines()
    assert lines[0] == "town,t,load +1,load +2"
    assert [line.split(",")[:2] for line in lines[1:]] == [["A", "63"], ["A", "64"]]
    assert "no answer for B: fewer than 4 rows behind each other" in " ".join(done.err.replace("│", " ").split())
    with pytest.raises(DataError, match="give a file"):
        Stream(0, load(tmp_path / "run").description.data)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"window": None}, "dataset.horizon says more of dataset.window, which is missing"),
        ({"time": None}, "dataset.by parts the rows into series, and each needs an order"),
        ({"stratify": True}, "dataset.stratify means nothing beside dataset.window"),
        ({"by": None}, "the same 't'; set dataset.by to the column that tells their series apart"),
        ({"window": 50}, "split train: 72 rows have no window of 50 rows and the 2 after them"),
        (
            {"target": "town", "by": None, "time": None, "features": ["warm"]},
            "holds classes, of which one is predicted",
        ),
    ],
)
def test_mistakes_are_named(options: dict[str, Any], said: str, tmp_path: Path) -> None:
    given_ = {name: value for name, value in {**OPTIONS, **options}.items() if value is not None}
    with pytest.raises(DataError, match="(?s)" + said.replace("(", r"\(")):
        source(table(tmp_path), **given_)
