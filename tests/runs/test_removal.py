"""Removing runs removes runs, and nothing else."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs import removal
from backprop_cli.runs.directory import SWEEP, RunDirectory
from backprop_cli.runs.files import write_json


def make(runs: Path, minute: int, status: str = "completed") -> RunDirectory:
    run = RunDirectory.create("a", "", {"started": f"2026-01-01T00:{minute:02}:00+00:00"}, runs=runs)
    run.update(status=status)
    run.release()
    return run


def test_a_run_goes_whole(tmp_path: Path) -> None:
    run = make(tmp_path / "runs", 0)
    removal.remove(run, tmp_path / "runs")
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_running_one_stays(tmp_path: Path) -> None:
    run = make(tmp_path, 0)
    other = RunDirectory(run.path)
    other.lock()
    with pytest.raises(RunError, match=f"in use by process {os.getpid()}"):
        removal.remove(run, tmp_path)
    assert run.config.exists()
    other.release()


def test_what_lies_elsewhere_stays(tmp_path: Path) -> None:
    run = make(tmp_path / "elsewhere", 0)
    runs = tmp_path / "runs"
    runs.mkdir()
    (runs / "link").symlink_to(run.path)
    (runs / "deeper").mkdir()
    for path in (run.path, runs / "link", runs / ".." / "elsewhere" / run.path.name):
        with pytest.raises(UsageError, match="only those are removed"):
            removal.remove(RunDirectory(path), runs)
    assert run.config.exists()


def test_links_inside_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "file").touch()
    run = make(tmp_path / "runs", 0)
    (run.path / "out").symlink_to(tmp_path / "precious")
    removal.remove(run, tmp_path / "runs")
    assert (tmp_path / "precious" / "file").exists()


def test_prune_chooses(tmp_path: Path) -> None:
    runs = [make(tmp_path, i, status) for i, status in enumerate(["failed", "completed", "failed", "completed"])]
    (tmp_path / "link").symlink_to(runs[0].path)

    def chosen(keep: int | None, *status: str) -> list[int]:
        paths = [run.path for run in runs]
        return [paths.index(run.path) for run in removal.chosen(tmp_path, keep=keep, status=status)]

    assert chosen(1) == [0, 1, 2]
    assert chosen(0) == [0, 1, 2, 3]
    assert chosen(9) == []
    assert chosen(None, "failed") == [0, 2]
    assert chosen(1, "completed") == [1]
    with pytest.raises(UsageError, match="expected --keep"):
        chosen(None)
    runs[2].lock()
    runs[2].update(status="running")
    assert chosen(None, "failed") == [0]
    runs[2].release()


def test_leftovers_of_a_crash_go(tmp_path: Path) -> None:
    for name, age in ((".new-run-old", 7200), (".new-run-young", 0), (".removed-x", 0), (".something", 7200)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    removal.sweep(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new-run-young", ".something"]


def test_the_commands(bp, tmp_path: Path) -> None:
    runs = [make(tmp_path / "runs", i) for i in range(3)]
    done = bp("runs", "prune", "--keep", "2", "--dry-run")
    assert (done.code, done.out) == (0, f"runs/{runs[0].path.name}\n")
    assert runs[0].path.exists()
    assert bp("runs", "prune", "--keep", "2").code == 0
    assert not runs[0].path.exists()
    refused = bp("runs", "rm", "..")
    assert refused.code == 2
    assert "Traceback" not in refused.err
    assert bp("runs", "rm", runs[1].id, runs[2].id).code == 0
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_sweep_goes_whole_unless_a_trial_runs(tmp_path: Path) -> None:
    runs, folder = tmp_path / "runs", tmp_path / "runs" / "a-sweep"
    trials = [make(folder, minute) for minute in (0, 1)]
    write_json(folder / SWEEP, {"trials": []})
    other = RunDirectory(trials[1].path)
    other.lock()
    with pytest.raises(RunError, match="in use"):
        removal.remove_sweep(folder, runs)
    assert all(trial.config.exists() for trial in trials)
    other.release()
    (runs / "link").symlink_to(folder)
    with pytest.raises(UsageError, match="only those are removed"):
        removal.remove_sweep(runs / "link", runs)
    removal.remove_sweep(folder, runs)
    assert [path.name for path in runs.iterdir()] == ["link"]


def test_what_ls_lists_rm_removes(bp, tmp_path: Path) -> None:
    folder = tmp_path / "runs" / "a-sweep"
    make(folder, 0)
    write_json(folder / SWEEP, {"trials": []})
    assert [row["run_id"] for row in bp("runs", "ls", "--json").json] == ["a-sweep"]
    done = bp("runs", "rm", "a-sweep")
    assert (done.code, done.out.strip()) == (0, str(Path("runs") / "a-sweep")), done.err
    assert bp("runs", "ls", "--json").json == []


def test_a_trial_goes_alone_and_only_from_a_sweep_of_this_folder(bp, tmp_path: Path) -> None:
    runs, folder = tmp_path / "runs", tmp_path / "runs" / "a-sweep"
    first, second, third = (make(folder, minute) for minute in (0, 1, 2))
    write_json(folder / SWEEP, {"trials": []})
    for name, gone in ((first.id, first), (f"a-sweep/{second.id}", second), (f"runs/a-sweep/{third.id}", third)):
        done = bp("runs", "rm", name)
        assert (done.code, gone.path.exists()) == (0, False), done.err
    assert [path.name for path in folder.iterdir()] == [SWEEP]
    other = make(tmp_path / "elsewhere" / "a-sweep", 0)
    write_json(other.path.parent / SWEEP, {"trials": []})
    (runs / "link").symlink_to(other.path.parent)
    (runs / "deep").mkdir()
    shutil.copytree(other.path.parent, runs / "deep" / "a-sweep")
    for path in (other.path, runs / "link" / other.id, runs / "deep" / "a-sweep" / other.id):
        with pytest.raises(UsageError, match="only those are removed"):
            removal.remove(RunDirectory(path), runs)
        assert path.exists()
