"""Run directories: whole or not at all, one writer, found by what they say of themselves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from backprop_cli.errors import RunError, UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.finding import find_run, list_runs
from backprop_cli.runs.lock import Lock, is_held
from tests.conftest import ROOT


def make(runs: Path, name: str = "a", **info: object) -> RunDirectory:
    return RunDirectory.create(name, "name: a\n", info, runs=runs)


class TestCreate:
    def test_holds_its_config_and_a_lock(self, tmp_path: Path) -> None:
        run = make(tmp_path / "runs")
        assert run.config.read_text() == "name: a\n"
        assert run.info["id"] == run.path.name
        assert run.status == "running"
        assert is_held(run.path)
        run.release()
        assert not is_held(run.path)
        assert run.status == "interrupted"

    @pytest.mark.parametrize("mask", [0o077, 0o022, 0o002])
    def test_who_may_read_it_is_for_the_umask_to_say(self, bp, tmp_path: Path, mask: int) -> None:
        """Nobody else, or a whole laboratory."""
        before = os.umask(mask)
        try:
            assert bp("train", "configs/xor.yaml", "--epochs", "2", "--run-dir", "runs/a").code == 0
        finally:
            os.umask(before)
        for path in (tmp_path / "runs", *(tmp_path / "runs").rglob("*")):
            assert path.stat().st_mode & 0o777 == (0o777 if path.is_dir() else 0o666) & ~mask, path

    def test_the_same_id_drawn_again_and_again(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With two hex digits' worth of ids, sixteen starters still get sixteen directories."""
        drawn = iter([f"{i // 4:04x}" for i in range(1000)])
        monkeypatch.setattr("backprop_cli.runs.directory.secrets.token_hex", lambda size: next(drawn))
        monkeypatch.setattr("backprop_cli.runs.directory.new_id", lambda name: f"{name}-{next(drawn)}")
        with ThreadPoolExecutor(16) as pool:
            runs = list(pool.map(lambda _: make(tmp_path), range(16)))
        assert len({run.path for run in runs}) == 16
        assert all(RunDirectory(run.path).info["id"] == run.path.name for run in runs)
        assert sorted(each.name for each in tmp_path.iterdir()) == sorted(run.path.name for run in runs)

    def test_an_exact_place_that_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "full").mkdir()
        (tmp_path / "full" / "file").touch()
        with pytest.raises(UsageError, match="not empty"):
            RunDirectory.create("a", "", {}, runs=tmp_path, exact=tmp_path / "full")
        (tmp_path / "dangling").symlink_to(tmp_path / "nothing")
        with pytest.raises(UsageError, match="not empty"):
            RunDirectory.create("a", "", {}, runs=tmp_path, exact=tmp_path / "dangling")
        assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".")] == []

    def test_two_plugins_of_one_name(self, tmp_path: Path) -> None:
        for folder, text in (("a", "x = 1"), ("b", "x = 2")):
            (tmp_path / folder).mkdir()
            (tmp_path / folder / "mine.py").write_text(text)
        plugins = [tmp_path / "a" / "mine.py", tmp_path / "b" / "mine.py"]
        run = RunDirectory.create("a", "", {}, runs=tmp_path / "runs", plugins=plugins)
        assert [path.read_text() for path in run.plugin_copies()] == ["x = 1", "x = 2"]


HOLDER = """
import sys, time; from pathlib import Path; from backprop_cli.runs.lock import Lock
lock = Lock(Path(sys.argv[1])); print("held", flush=True); time.sleep(60)
"""


class TestLock:
    @pytest.fixture
    def run(self, tmp_path: Path) -> RunDirectory:
        made = make(tmp_path)
        made.release()
        return made

    @pytest.mark.process
    def test_names_the_holder_and_dies_with_it(self, run: RunDirectory) -> None:
        command = [sys.executable, "-c", HOLDER, str(run.path)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)}) as holder:
            assert holder.stdout and holder.stdout.readline() == b"held\n"
            assert run.status == "running" or run.info["status"] != "running"
            with pytest.raises(RunError, match=f"in use by process {holder.pid}"):
                run.lock()
            holder.send_signal(signal.SIGKILL)
            holder.wait()
        run.lock()
        assert (run.path / "lock").read_text() == f"{os.getpid()}\n"
        run.release()

    def test_a_look_does_not_keep_anybody_out(self, run: RunDirectory) -> None:
        for _ in range(50):
            with ThreadPoolExecutor(4) as pool:
                for _ in range(4):
                    pool.submit(is_held, run.path)
                Lock(run.path).release()

    @pytest.mark.parametrize("part", ["lock", "metrics.jsonl", "run.json", "config.yaml", "checkpoints", "plugins"])
    def test_links_are_refused(self, run: RunDirectory, tmp_path: Path, part: str) -> None:
        outside = tmp_path / "outside"
        if part in ("checkpoints", "plugins"):
            outside.mkdir()
            (run.path / part).rmdir()
        else:
            outside.write_text("precious")
            (run.path / part).unlink(missing_ok=True)
        (run.path / part).symlink_to(outside)
        with pytest.raises((RunError, UsageError), match="symbolic link") as caught:
            RunDirectory(run.path).lock()
        assert part in str(caught.value)
        assert outside.is_dir() or outside.read_text() == "precious"

    def test_left_over_files_go(self, run: RunDirectory) -> None:
        for path in (run.path / ".run.json.x.tmp", run.checkpoints / ".last.safetensors.y.tmp"):
            path.write_text("half")
        run.lock()
        assert not list(run.path.rglob("*.tmp"))
        run.release()


class TestFind:
    def test_latest_is_what_the_runs_say(self, tmp_path: Path) -> None:
        """Neither the time of the files, nor the spelling of the time zone."""
        noon = datetime(2026, 10, 25, 12, tzinfo=UTC)
        made = [
            make(tmp_path, started=noon.isoformat()),
            make(
                tmp_path, started=(noon + timedelta(minutes=30)).astimezone(timezone(-timedelta(hours=5))).isoformat()
            ),
            make(tmp_path, started=(noon - timedelta(minutes=30)).astimezone(timezone(timedelta(hours=9))).isoformat()),
        ]
        for hours, run in enumerate(reversed(made)):
            os.utime(run.path / "run.json", times=(time.time() + 3600 * hours,) * 2)
        assert find_run("latest", tmp_path).path == made[1].path
        assert [run.path for run in list_runs(tmp_path)] == [made[i].path for i in (2, 0, 1)]

    def test_by_path_by_id_and_by_neither(self, tmp_path: Path) -> None:
        run = make(tmp_path, "moons")
        assert find_run(str(run.path), Path("elsewhere")).path == run.path
        assert find_run(run.id, tmp_path).path == run.path
        with pytest.raises(UsageError, match=f"did you mean '{run.id}'"):
            find_run(run.id.replace("moons", "mons"), tmp_path)

    @pytest.mark.parametrize("name", ["x" * 300, "a\0b", "..", "/", "\x1b[31m", "a/../../b", "", "."])
    def test_names_that_are_none(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "runs").mkdir()
        with pytest.raises(UsageError, match="no run"):
            find_run(name, tmp_path / "runs")

    @pytest.mark.parametrize("text", ["", "[]", "[" * 100_000, "{", '{"id": 1}', "\xff", '{"id": "\\u001b[31m"}'])
    def test_a_run_json_of_nonsense(self, tmp_path: Path, text: str) -> None:
        run = make(tmp_path)
        (run.path / "run.json").write_bytes(text.encode("latin-1"))
        for found in list_runs(tmp_path):
            assert found.id == run.path.name
            assert found.started == 0

    def test_what_is_being_made_is_not_listed(self, tmp_path: Path) -> None:
        run = make(tmp_path)
        (tmp_path / ".new-run-x").mkdir()
        (tmp_path / ".new-run-x" / "run.json").write_text(json.dumps(run.info))
        assert [each.path for each in list_runs(tmp_path)] == [run.path]
