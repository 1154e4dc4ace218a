"""What the board reads: logs that grow, are taken back or are torn; curves thinned; a row for every run."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from backprop_cli.browser.board.log import MAX_BYTES, LogReader
from backprop_cli.browser.board.shelf import Shelf
from backprop_cli.browser.thin import curve, heat, thin
from backprop_cli.errors import RunError, UsageError


def write(path: Path, rows: list[dict], mode: str = "a") -> None:
    with path.open(mode) as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)


def rows(first: int, last: int) -> list[dict]:
    return [{"epoch": i, "step": 10 * i, "time": i / 4, "train/loss": 1 / i} for i in range(first, last + 1)]


def test_a_log_is_read_on(tmp_path: Path) -> None:
    log = LogReader(tmp_path / "metrics.jsonl")
    log.refresh()
    assert curve_of(log) == []
    write(log.path, rows(1, 3))
    log.refresh()
    with log.path.open("a") as file:  # a line that is still being written
        file.write('{"epoch": 4, "step": 40, ')
    log.refresh()
    assert curve_of(log) == [1, 0.5, 0.333333]
    with log.path.open("a") as file:
        file.write('"time": 1, "train/loss": NaN}\n{"epoch": 5, "step": 50, "train/loss": null}\n[]\n')
        file.write('{"epoch": 5, "step": 55, "layers": 1, "train/loss": 0.25}\n')
        file.write('{"epoch": 6, "step": "60", "train/loss": 1}\n{"epoch": 7, "step": 70, "train/loss": "x"}\n')
    log.refresh()
    assert curve_of(log) == [1, 0.5, 0.333333, None, 0.25], (
        "a line that no training writes counts as little as elsewhere"
    )


def test_no_point_comes_twice_when_a_run_goes_on(tmp_path: Path) -> None:
    log = LogReader(tmp_path / "metrics.jsonl")
    write(log.path, rows(1, 8))
    log.refresh()
    (tmp_path / "new").write_text("")
    write(tmp_path / "new", rows(1, 5))  # resuming takes back what the last checkpoint does not know
    os.replace(tmp_path / "new", log.path)
    log.refresh()
    assert list(log.x["epoch"]) == [1, 2, 3, 4, 5]
    write(log.path, rows(4, 9))  # a log that two processes wrote
    log.refresh()
    assert list(log.x["epoch"]) == [1, 2, 3, 4, 5, 6, 7, 8, 9]


def test_a_log_of_any_size_takes_bounded_memory(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES * 3)  # zeros: no line ends
    write(path, [{"step": 0}, {"epoch": 1, "step": 1, "train/loss": 0.5}])
    log = LogReader(path)
    log.refresh()
    assert log.cut
    assert curve_of(log) == [0.5]


@pytest.mark.parametrize("make", [lambda p: p.mkdir(), lambda p: p.symlink_to("/dev/zero"), os.mkfifo])
def test_what_is_no_file_is_not_read(make, tmp_path: Path) -> None:
    make(tmp_path / "metrics.jsonl")
    start = time.monotonic()
    with pytest.raises(RunError):
        LogReader(tmp_path / "metrics.jsonl").refresh()
    assert time.monotonic() - start < 1


@pytest.mark.parametrize(
    "line",
    [
        "{" * 100_000,
        '{"step": 1e999}',
        '{"step": [1]}',
        '{"step": 1, "layers": 3}',
        '{"epoch": 1, "step": 1, "layers": {}, "x": 1' + "0" * 400 + "}",
        "\0",
    ],
)
def test_odd_lines_are_passed_over(line: str, tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_text(f"{line}\n")
    write(path, [{"epoch": 7, "step": 7, "train/loss": 2}])
    log = LogReader(path)
    log.refresh()
    assert curve_of(log) == [2]


@pytest.mark.large
@given(arrays(np.float64, st.integers(1, 3000), elements=st.floats(-1e6, 1e6) | st.just(np.nan)), st.integers(10, 400))
def test_thinning_keeps_every_extreme(y: np.ndarray, points: int) -> None:
    kept = thin(y, points)
    assert kept[0] == 0
    assert kept[-1] == len(y) - 1
    assert np.all(np.diff(kept) > 0)
    assert len(kept) <= max(points * 1.5 + 2, 2)
    if not np.isnan(y).all():
        assert np.nanmin(y[kept]) == np.nanmin(y)
        assert np.nanmax(y[kept]) == np.nanmax(y)
    assert np.isnan(y[kept]).any() == np.isnan(y).any()


@pytest.mark.large
def test_a_run_of_a_hundred_thousand_steps(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    values = np.random.default_rng(0).random(100_000)
    values[54_321] = 99
    write(path, [{"epoch": 1, "step": i + 1, "time": i, "train/loss": v} for i, v in enumerate(values)])
    log = LogReader(path)
    start = time.process_time()
    log.refresh()
    found = curve(log, "train/loss")
    assert time.process_time() - start < 3  # a second, and room for a machine that does other work as well
    assert max(found["y"]) == 99
    assert found["step"][found["y"].index(99)] == 54_322
    assert len(found["y"]) < 1300


NUMBER = st.none() | st.integers(-3, 9) | st.floats(-1e3, 1e3) | st.sampled_from([True, "x", [1], 1e999, 1 << 70, {}])
ROWS = st.fixed_dictionaries(
    {"epoch": st.integers(-1, 9), "step": st.integers(-1, 40)},
    optional={"time": NUMBER, "a": NUMBER, "b": NUMBER, "train/loss": st.floats(0, 1)},
)
LINES = ROWS.map(json.dumps) | st.sampled_from(["", "{}", "{", '{"epoch": 1', '"step": 2}', "[]", '{"a": "\\ud800"}'])


@pytest.mark.large
@given(st.lists(ROWS.map(json.dumps), max_size=30) | st.lists(LINES, max_size=30))
def test_lines_read_together_are_those_read_one_by_one(lines: list[str]) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder) / "metrics.jsonl"
        path.write_text("".join(f"{line}\n" for line in lines))
        together = LogReader(path)
        together.refresh()
        single = LogReader(path)
        for line in lines:
            single._take(line.encode())
    assert repr(together.x) == repr(single.x)  # NaN is not equal to itself
    assert {name: (list(column.rows), repr(column.values)) for name, column in together.columns.items()} == {
        name: (list(column.rows), repr(column.values)) for name, column in single.columns.items()
    }


def test_layers_over_time(tmp_path: Path) -> None:
    path = tmp_path / "diagnostics.jsonl"
    write(path, [{"epoch": 1, "step": i, "layers": {"b": {"g": i}, "a": {"g": -i, "dead": 0.5}}} for i in range(1, 9)])
    log = LogReader(path)
    log.refresh()
    found = heat(log, "g", times=4)
    assert found == {
        "layers": ["b", "a"],
        "step": [2, 4, 6, 8],
        "epoch": [1] * 4,
        "z": [[2, 4, 6, 8], [-1, -3, -5, -7]],
    }


def a_run(folder: Path, name: str, **info: object) -> Path:
    path = folder / name
    path.mkdir(parents=True)
    (path / "config.yaml").write_text("trainer: {epochs: 9}\n")
    (path / "run.json").write_text(json.dumps({"id": name, "status": "completed", **info}))
    return path


def test_the_shelf_tells_what_changed(tmp_path: Path) -> None:
    a, b = a_run(tmp_path, "a"), a_run(tmp_path, "b")
    shelf = Shelf([tmp_path])
    assert shelf.refresh() == {"0/a", "0/b"}
    assert shelf.refresh() == set()
    (b / "run.json").write_text(json.dumps({"id": "b", "status": "failed"}))
    assert shelf.refresh() == {"0/b"}
    assert shelf.told("0/b")["status"] == "failed"
    a_run(tmp_path, "c")
    (a / "run.json").unlink()
    (a / "config.yaml").unlink()
    a.rmdir()
    assert shelf.refresh() == {"0/a", "0/c"}


def test_sweeps_are_opened_and_links_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    a_run(outside, "secret")
    runs = tmp_path / "runs"
    a_run(runs / "sweep", "trial")
    (runs / "sweep/sweep.json").write_text('{"trials": []}')
    (runs / "link").symlink_to(outside / "secret")
    (runs / "sweep/link").symlink_to(outside / "secret")
    a_run(runs, "ü%/..".replace("/", "_"))
    shelf = Shelf([runs])
    shelf.refresh()
    assert set(shelf.books) == {"0/sweep/trial", "0/%C3%BC%25_.."}
    assert shelf.sweeps == {"0/sweep": runs / "sweep"}
    for key in ("0/link", "0/../outside/secret", "/etc/passwd", "", "0/sweep"):
        with pytest.raises(UsageError):
            shelf.run(key)


def test_a_run_or_a_sweep_alone(tmp_path: Path) -> None:
    a_run(tmp_path / "sweep", "trial")
    (tmp_path / "sweep/sweep.json").write_text('{"trials": []}')
    shelf = Shelf([tmp_path / "sweep", tmp_path / "sweep/trial"])
    shelf.refresh()
    assert set(shelf.books) == {"0/trial", "1"}
    with pytest.raises(UsageError, match="not a folder"):
        Shelf([tmp_path / "nowhere"])


def curve_of(log: LogReader) -> list[float | None]:
    return curve(log, "train/loss")["y"] if "train/loss" in log.columns else []
