"""What a file system lacks is done without, and said once; a fault is still a fault."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import RunError
from backprop_cli.runs import plain
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.lock import LOCK, Lock, is_held
from tests.reliability.compare import EVERYTHING, differences, outcome


@pytest.fixture(autouse=True)
def nothing_said_yet() -> Iterator[None]:
    plain.do_without.cache_clear()
    yield
    plain.do_without.cache_clear()


def lacking(number: int) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        raise OSError(number, os.strerror(number))

    return call


@pytest.mark.parametrize(
    ("module", "name", "number", "said"),
    [
        (os, "link", errno.EXDEV, "no hard links"),
        (os, "link", errno.EACCES, "no hard links"),
        (os, "link", errno.EPERM, "no hard links"),
        (os, "fsync", errno.EINVAL, "no fsync"),
        (os, "fsync", errno.ENOSYS, "no fsync"),
        (fcntl, "flock", errno.ENOSYS, "no locks"),
        (fcntl, "flock", errno.ENOLCK, "no locks"),
    ],
    ids=lambda value: errno.errorcode[value] if isinstance(value, int) else getattr(value, "__name__", value),
)
def test_a_run_goes_on_without_it(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    module: Any,
    name: str,
    number: int,
    said: str,
) -> None:
    cfg = load_config(EVERYTHING, ["trainer.checkpoint.every_steps=3"])
    train(cfg, run_dir=tmp_path / "with")
    monkeypatch.setattr(module, name, lacking(number))
    train(cfg, run_dir=tmp_path / "without")
    assert not differences(outcome(tmp_path / "without"), outcome(tmp_path / "with"))
    assert capfd.readouterr().err.count(said) == 1
    assert RunDirectory(tmp_path / "without").status == "completed"


@pytest.mark.parametrize(("module", "name"), [(os, "fsync"), (fcntl, "flock")])
def test_a_fault_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: Any, name: str) -> None:
    monkeypatch.setattr(module, name, lacking(errno.EIO))
    with pytest.raises(RunError, match="Input/output error"):
        train(load_config(EVERYTHING), run_dir=tmp_path / "run")


@pytest.mark.process
def test_without_locks_the_process_named_in_the_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fcntl, "flock", lacking(errno.ENOSYS))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (tmp_path / LOCK).write_text(f"{other.pid}\n")
        assert is_held(tmp_path)
        with pytest.raises(RunError, match=f"in use by process {other.pid}"):
            Lock(tmp_path)
        assert (tmp_path / LOCK).read_text() == f"{other.pid}\n"
        other.kill()
    assert not is_held(tmp_path)
    held = Lock(tmp_path)
    assert (tmp_path / LOCK).read_text() == f"{os.getpid()}\n"
    held.release()
    assert (tmp_path / LOCK).read_text() == ""
