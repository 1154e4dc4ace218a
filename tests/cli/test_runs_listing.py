"""`bp runs ls`: filters, columns, formats; whatever lies among the runs; thousands of them."""

from __future__ import annotations

import csv
import io
import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

CONFIG = "optimizer: {type: adam, learning_rate: %s}\nseed: 0\n"


LONG = "architecture:\n" + 20 * "- {type: dense, units: 8}\n" + "optimizer:\n  type: adam\n  learning_rate: 0.1\n"


def make_run(folder: Path, name: str, loss: float, rate: float, **info: Any) -> None:
    (folder / name).mkdir(parents=True)
    metrics = {"epoch": 3, "step": 9, "time": 1.5, "validation/loss": loss}
    about = {"id": name, "status": "completed", "started": f"2026-01-01T00:00:{len(list(folder.iterdir())):02d}+00:00"}
    (folder / name / "run.json").write_text(json.dumps({**about, "metrics": metrics, **info}))
    (folder / name / "config.yaml").write_text(CONFIG % rate)


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    folder = tmp_path / "runs"
    for name, loss, rate in (("a", 0.5, 0.1), ("b", 0.1, 0.01), ("c", 0.3, 0.001)):
        make_run(folder, name, loss, rate)
    make_run(folder, "d", float("nan"), 0.2, status="failed", metrics=None)
    return folder


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ([], "abcd"),
        (["--sort", "validation/loss"], "bcad"),
        (["--sort", "-validation/loss"], "acbd"),
        (["--where", "optimizer.learning_rate<0.05"], "bc"),
        (["--where", "status=completed", "--where", "validation/loss>=0.3"], "ac"),
        (["--where", "status!=completed"], "d"),
    ],
)
def test_filters_and_order(bp, runs: Path, options: list[str], names: str) -> None:
    assert [run["run_id"] for run in bp("runs", "ls", "--json", *options).json] == list(names)


def test_formats_say_the_same(bp, runs: Path) -> None:
    columns = ["--columns", "run_id,validation/loss,optimizer.learning_rate", "--format"]
    table = [row.split() for row in bp("runs", "ls", *columns, "table").out.splitlines()]
    rows = list(csv.reader(io.StringIO(bp("runs", "ls", *columns, "csv").out)))
    documents = bp("runs", "ls", *columns, "json").json
    lines = [json.loads(line) for line in bp("runs", "ls", *columns, "jsonl").out.splitlines()]
    assert lines == documents
    assert (
        rows[0]
        == list(documents[0])
        == "".join(table[0]).replace("idval", "id,val").replace("lossopt", "loss,opt").split(",")
    )
    assert rows[1:] == [["" if value is None else str(value) for value in each.values()] for each in documents]
    assert [row[0] for row in table[1:]] == [each["run_id"] for each in documents]


def test_no_runs_is_no_error_but_no_folder_is(bp, tmp_path: Path) -> None:
    none = bp("runs", "ls", "--json")
    assert none.json == []
    assert "no runs in runs yet" in none.err
    (tmp_path / "file").touch()
    assert bp("runs", "ls", "--runs", "file").code == 2


@pytest.mark.parametrize(
    ("options", "meant"),
    [
        (["--where", "validation/los<1"], "validation/loss"),
        (["--where", "status=failed", "--where", "optimizer.leaning_rate<1"], "optimizer.learning_rate"),
        (["--sort", "-sed"], "seed"),
        (["--columns", "run_id,xyzzy"], None),
        (["--columns", "run_id,statsu"], "status"),
        (["--columns", "run_id,optimizer.momentm"], "optimizer.momentum"),
        (["--sort", "validation/acuracy"], "validation/accuracy"),
        (["--columns", "architecture.0.unit"], "architecture.0.units"),
    ],
)
def test_a_column_that_no_run_has_is_a_mistake(bp, runs: Path, options: list[str], meant: str | None) -> None:
    done = bp("runs", "ls", *options)
    assert done.code == 2
    assert f"{options[0]} {options[1]}" in done.err or "leaning" in done.err
    assert ("did you mean" in done.err) == (meant is not None)
    assert meant is None or f"did you mean {meant!r}" in done.err


def test_a_column_that_some_run_could_have_is_empty(bp, runs: Path) -> None:
    options = ["optimizer.momentum", "architecture.0.residual.layers.1.units", "dataset.noise", "trainer.metrics.0"]
    keys = [*options, "validation/accuracy", "best.validation/f1", "validation/kind_accuracy"]
    done = bp("runs", "ls", "--columns", ",".join(["run_id", *keys]), "--sort", f"-{keys[0]}", "--format", "jsonl")
    assert done.code == 0, done.err
    assert [json.loads(line) for line in done.out.splitlines()] == [
        {"run_id": name} | dict.fromkeys(keys) for name in "abcd"
    ]
    assert bp("runs", "ls", "--where", "optimizer.momentum<1", "--json").json == []


def test_filters_that_leave_nothing_are_no_mistake(bp, runs: Path) -> None:
    assert bp("runs", "ls", "--where", "status=failed", "--where", "validation/loss<1", "--json").json == []


def test_a_config_that_somebody_has_rewritten_is_read_whole(bp, runs: Path) -> None:
    (runs / "a" / "config.yaml").write_text("{seed: 7, optimizer:\n {learning_rate: 0.5}}")
    (runs / "b" / "config.yaml").write_text("optimizer:\n- {: broken")
    columns = ["--columns", "run_id,optimizer.learning_rate", "--format", "csv"]
    assert bp("runs", "ls", *columns).out.split() == [
        "run_id,optimizer.learning_rate",
        "a,0.5",
        "b,",
        "c,0.001",
        "d,0.2",
    ]


def test_the_folder_of_a_sweep_is_called_one(bp, runs: Path) -> None:
    (runs / "some-sweep").mkdir()
    (runs / "some-sweep" / "sweep.json").write_text("{}")
    status = {run["run_id"]: run["status"] for run in bp("runs", "ls", "--json").json}
    assert status["some-sweep"] == "sweep"


def test_what_is_no_run_is_listed_and_harms_nothing(bp, runs: Path) -> None:
    (runs / "README.md").write_text("not a run")
    (runs / "empty").mkdir()
    (runs / ".hidden").mkdir()
    for name, content in (
        ("torn", b'{"id": "torn", "sta'),
        ("binary", b"\x89\x00\xff"),
        ("list", b"[1, 2]"),
        ("types", json.dumps({"id": 3, "status": ["x"], "metrics": 7, "started": {}, "best": 1}).encode()),
        ("huge", b'{"metrics": {"loss": 1e999}}'),
    ):
        (runs / name).mkdir()
        (runs / name / "run.json").write_bytes(content)
    (runs / "dangling").symlink_to(runs / "nowhere")
    (runs / "secret").mkdir(mode=0)
    for arguments in (
        ["--json"],
        [],
        ["--sort", "validation/loss"],
        ["--where", "status=completed"],
        ["--format", "csv"],
    ):
        done = bp("runs", "ls", *arguments)
        assert done.code == 0, done.err
        assert not done.err
    status = {run["run_id"]: run["status"] for run in bp("runs", "ls", "--json").json}
    assert {name for name, each in status.items() if each == "completed"} == set("abc")
    assert status["torn"] == status["binary"] == status["empty"] == "unreadable"
    assert ".hidden" not in status and "README.md" not in status


def test_thousands_are_listed_at_once(bp, tmp_path: Path) -> None:
    folder = tmp_path / "runs"
    for i in range(2000):
        make = folder / f"run-{i:04d}"
        os.makedirs(make)
        (make / "run.json").write_text(json.dumps({"id": make.name, "status": "completed", "metrics": {"epoch": i}}))
        (make / "config.yaml").write_text(f"name: run-{i}\n{LONG}seed: {i}\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = bp("runs", "ls", "--where", "optimizer.learning_rate<1")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert len(done.out.splitlines()) == 2001
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 3, f"{used:.2f} s of CPU time"  # on a quiet machine a quarter of it


def test_a_run_that_goes_on_shows_how_far_it_is(bp, runs: Path) -> None:
    rows = [{"epoch": 7, "step": 21, "validation/loss": 0.25}, {"epoch": 8, "step": 24, "validation/loss": 0.2}]
    log = "\n".join(["x" * 100_000, *map(json.dumps, rows), '{"epoch": 9, "st'])
    for name, status, metrics in (
        ("e", "running", {}),
        ("f", "running", {"epoch": 2}),
        ("g", "completed", {"epoch": 9}),
    ):
        make_run(runs, name, 0.0, 0.1, status=status, metrics=metrics)
        (runs / name / "metrics.jsonl").write_text(log)
    make_run(runs, "h", 0.0, 0.1, status="running", metrics={})  # in its first epoch
    listed = {run["run_id"]: run for run in bp("runs", "ls", "--json").json}
    assert [listed[name]["epochs"] for name in "efgh"] == [8, 8, 9, 0]
    assert listed["e"]["metrics"] == rows[-1]
    for name in "ae":
        (runs / name / "config.yaml").write_text(
            "{dataset: {source: sample, name: iris}, architecture: [relu], loss: mse}"
        )
    compared = bp("runs", "compare", "runs/a", "runs/e", "--json").json
    assert compared["epochs"] == [3, 8]
    assert compared["status"] == ["completed", "interrupted"]  # nobody holds its lock
    shown = bp("runs", "show", "e", "--json").json
    assert (shown["status"], shown["metrics"]) == ("interrupted", rows[-1])


@pytest.mark.long
def test_a_sweep_is_a_set_of_runs_for_whoever_takes_several(bp, tmp_path: Path) -> None:
    """Its folder for plot, report, compare and eval; the id of one of its runs wherever a run goes."""
    swept = bp("sweep", "configs/moons.yaml", "--set", "seed=0..5", "--set", "trainer.epochs=1", "--quiet", "--json")
    assert swept.code == 0, swept.err
    ids = sorted(path.parent.name for path in (tmp_path / "runs/moons-sweep").glob("*/run.json"))
    assert len(ids) == 6
    assert sorted(bp("plot", "moons-sweep", "--group", "--json").json["runs"]) == ids
    assert sorted(bp("report", "moons-sweep", "--json").json["runs"]) == ids
    assert sorted(bp("runs", "compare", "moons-sweep", "--json").json["runs"]) == ids
    assert sorted(each["run_id"] for each in bp("eval", "moons-sweep", "--json").json) == ids
    assert bp("eval", ids[0], "--json").json["run_id"] == ids[0]
    table = bp("runs", "compare", "moons-sweep").out
    assert sum(line.startswith(tuple(ids)) for line in table.splitlines()) == 6
    assert "status" not in table
    done = bp("doctor", "moons-sweep")
    assert done.code == 2
    assert "is a sweep; expected one of its runs" in done.err
