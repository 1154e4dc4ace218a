"""Splits one can defend: each row once, groups whole, time forwards, classes and values at their share, twins said."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.data.dataset import Dataset, Split
from backprop_cli.data.duplicates import across
from backprop_cli.errors import DataError
from backprop_cli.registry import make

SHARES = {"train": "60%", "validation": "20%", "test": "20%"}


def load(path: Path, seed: int = 0, **options: Any) -> Dataset:
    source = make("source", {"source": "files", "path": path, "target": "y", **options}, key="source")
    return source.load(seed, path.parent)  # type: ignore[no-any-return]  # a source's


def table(folder: Path, n: int = 200, seed: int = 0) -> Path:
    """Columns i, the number of the row; g, one of 23 groups; t, a day; s, a split; y, a value."""
    rng = np.random.default_rng(seed)
    rows = zip(
        range(n), rng.integers(0, 23, n), rng.integers(1, 29, n), rng.choice(["train", "val", "test"], n), strict=True
    )
    path = folder / "t.csv"
    path.write_text("i,g,t,s,y\n" + "".join(f"{i}.5,g{g},2024-03-{t:02},{s},{i * i / 7}\n" for i, g, t, s in rows))
    return path


def columns(path: Path) -> dict[str, np.ndarray]:
    lines = [line.split(",") for line in path.read_text().splitlines()]
    return {name: np.array([line[k] for line in lines[1:]]) for k, name in enumerate(lines[0])}


def held(dataset: Dataset) -> dict[str, np.ndarray]:
    """The numbers of the rows of each split, held against x itself."""
    for split in dataset.splits.values():
        assert split.rows is not None
        np.testing.assert_array_equal(split.x[:, 0], split.rows + 0.5)
    return {name: np.asarray(split.rows) for name, split in dataset.splits.items()}


def test_no_group_is_in_two_splits_and_every_row_in_one(tmp_path: Path) -> None:
    path = table(tmp_path)
    found = held(load(path, group="g", features=["i"], splits=SHARES))
    groups = columns(path)["g"]
    assert sorted(np.concatenate(list(found.values()))) == list(range(200))
    for a, b in (("train", "validation"), ("train", "test"), ("validation", "test")):
        assert not {*groups[found[a]]} & {*groups[found[b]]}
    assert 90 < len(found["train"]) < 150
    other = held(load(path, group="g", features=["i"], splits=SHARES, split_seed=7))
    assert {*other["test"]} != {*found["test"]}


def test_time_goes_forward_and_no_moment_is_parted(tmp_path: Path) -> None:
    path = table(tmp_path)
    found = held(load(path, time="t", features=["i"], splits=SHARES))
    days = columns(path)["t"].astype("M8[D]")
    assert days[found["train"]].max() < days[found["validation"]].min()
    assert days[found["validation"]].max() < days[found["test"]].min()


def test_a_column_names_the_split_of_each_row(tmp_path: Path) -> None:
    path = table(tmp_path)
    found = held(load(path, split_column="s", features=["i"]))
    names = columns(path)["s"]
    for split, written in (("train", "train"), ("validation", "val"), ("test", "test")):
        np.testing.assert_array_equal(found[split], np.flatnonzero(names == written))


def test_those_columns_are_no_features_unless_listed(tmp_path: Path) -> None:
    path = table(tmp_path)
    assert load(path, group="g", exclude=["s", "t"]).features == ["i"]
    assert load(path, time="t", exclude=["s", "g"], features=["i", "t"]).features == ["i", "t"]


@pytest.mark.large
@settings(max_examples=20, deadline=None)
@given(
    n=st.integers(40, 90), k=st.integers(2, 6), seed=st.integers(0, 5), how=st.sampled_from(["", "group", "classes"])
)
def test_each_row_is_test_in_one_fold_and_never_beside_it(
    tmp_path_factory: Any, n: int, k: int, seed: int, how: str
) -> None:
    path = tmp_path_factory.mktemp("t") / "t.csv"
    rng = np.random.default_rng(seed)
    group, label = rng.permutation(n) // 2, rng.integers(0, 2, n)
    label[:2] = 0, 1
    path.write_text(
        "i,g,y\n"
        + "".join(
            f"{i}.5,g{g},{'ab'[t] if how == 'classes' else t / 3}\n"
            for i, (g, t) in enumerate(zip(group, label, strict=True))
        )
    )
    options = {"group": "g"} if how == "group" else {"stratify": False} if how == "" else {}
    parts = [held(load(path, seed, folds=k, fold=fold, features=["i"], **options)) for fold in range(1, k + 1)]
    assert sorted(np.concatenate([part["test"] for part in parts])) == list(range(n))
    for part in parts:
        assert sorted(np.concatenate(list(part.values()))) == list(range(n))
        if how == "group":
            assert not {*group[part["test"]]} & {*group[part["train"]]}
        else:
            assert abs(len(part["test"]) - n / k) <= 1
        if how == "classes":
            assert abs((label[part["test"]] == 1).sum() - label.sum() / k) <= 2


def test_folds_in_time_are_tested_on_what_comes_after(tmp_path: Path) -> None:
    path = table(tmp_path)
    days, ends = columns(path)["t"].astype("M8[D]"), []
    for fold in range(1, 4):
        found = held(load(path, time="t", folds=3, fold=fold, features=["i"]))
        before = np.concatenate([found["train"], found["validation"]])
        assert days[before].max() < days[found["test"]].min()
        ends.append(len(before))
    assert ends == sorted(ends)


def test_values_are_kept_at_their_share(tmp_path: Path) -> None:
    path = table(tmp_path)
    plain, evenly = (held(load(path, features=["i"], splits=SHARES, stratify=how)) for how in (None, True))
    tenths = np.arange(200) // 20  # y grows with i
    assert {*np.bincount(tenths[evenly["test"]], minlength=10)} <= {3, 4, 5}
    assert {*np.bincount(tenths[plain["test"]], minlength=10)} != {*np.bincount(tenths[evenly["test"]], minlength=10)}


def test_seeds_of_data_and_splits_are_apart_from_the_seed(tmp_path: Path) -> None:
    from backprop_cli.config import load_config
    from backprop_cli.model.build import prepare

    spec = {"name": "t", "dataset": {"source": "files", "path": str(table(tmp_path)), "target": "y", "features": ["i"]},
            "architecture": [{"type": "dense", "units": 1}], "loss": "mse"}  # fmt: skip

    def of(*overrides: str) -> tuple[tuple[int, ...], float]:
        made = prepare(load_config(spec, overrides))
        return tuple(np.asarray(made.dataset.splits["test"].rows)), float(made.network.parameters["dense_1.W"][0, 0])

    for name in ("dataset.data_seed", "dataset.split_seed"):
        first, other, moved = of(f"{name}=3", "seed=0"), of(f"{name}=3", "seed=1"), of(f"{name}=4", "seed=0")
        assert first[0] == other[0] != moved[0]
        assert first[1] == moved[1] != other[1]
    noise = {
        "name": "t",
        "dataset": {"source": "synthetic", "name": "moons", "noise": 0.1},
        "architecture": spec["architecture"],
        "loss": "mse",
    }
    noise["architecture"], noise["loss"] = [{"type": "dense", "units": 2, "activation": "softmax"}], "cross_entropy"
    drawn = [
        prepare(load_config(noise, each)).dataset.splits["train"].x
        for each in (["seed=0", "dataset.data_seed=5"], ["seed=1", "dataset.data_seed=5"], ["seed=0"])
    ]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[0], drawn[2])


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"folds": 5}, "dataset.folds: 5 needs dataset.fold, from 1 to 5; `bp sweep CONFIG --folds 5` trains each"),
        ({"fold": 1}, "dataset.fold means nothing without dataset.folds"),
        ({"folds": 3, "fold": 4, "group": "g", "time": "t"}, "keep one\ndataset.fold is 4; expected 1 to 3"),
        ({"split_column": "s", "splits": SHARES}, "dataset.splits means nothing beside dataset.split_column"),
        ({"stratify": True, "group": "g"}, "dataset.stratify means nothing beside dataset.group"),
        ({"group": "who"}, r"no column 'who' \(group\)"),
        ({"time": "g"}, r"column 'g' \(dataset.time\): 'g\d+' is no date or number; set dataset.dates"),
        ({"split_column": "g"}, "dataset.split_column names g0, .*expected train among them"),
        ({"folds": 3, "fold": 1, "splits": {"train": "train[:50%]"}}, "is a slice, and folds cut the rows"),
        (
            {"folds": 50, "fold": 1, "group": "g"},
            "dataset.folds is 50, and there are 23 different values in dataset.group",
        ),
    ],
)
def test_every_mistake_is_told_with_what_to_do(tmp_path: Path, options: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        load(table(tmp_path), features=["i"], **options)


def test_a_group_in_the_files_of_two_splits_is_refused(tmp_path: Path) -> None:
    path = table(tmp_path)
    lines = path.read_text().splitlines()
    (tmp_path / "a.csv").write_text("\n".join(lines[:100]) + "\n")
    (tmp_path / "b.csv").write_text("\n".join([lines[0], *lines[100:]]) + "\n")
    with pytest.raises(DataError, match="are in both train and test, such as 'g"):
        load(tmp_path, group="g", features=["i"], splits={"train": "a.csv", "test": "b.csv"})


def test_rows_of_train_in_another_split_are_counted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{i % 90},{i % 90 / 2}\n" for i in range(100)))
    dataset = load(path)
    seen = {tuple(row) for row in dataset.splits["train"].x}
    twins = sum(tuple(row) in seen for row in dataset.splits["test"].x)
    said = [note for note in dataset.notes if "of test stand in train" in note]
    assert (len(said) == 1) == (twins > 0)
    assert not twins or said[0].startswith(f"{twins} of 15 rows")


@given(width=st.integers(1, 9), kind=st.sampled_from(["f8", "u1", "i8", "f4"]), seed=st.integers(0, 99))
def test_twins_are_found_whatever_the_rows_are(width: int, kind: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 250, (40, width)).astype(kind)
    y = rng.integers(0, 2, 40)
    train, test = Split(x[:25], y[:25]), Split(x[25:], y[25:])
    known = {(*map(float, row), t) for row, t in zip(x[:25], y[:25], strict=True)}
    twins = sum((*map(float, row), t) in known for row, t in zip(x[25:], y[25:], strict=True))
    said = list(across({"train": train, "test": test}))
    assert said == [] if not twins else said[0].startswith(f"{twins} of 15 rows")
