"""Terminals of 80 and 40 columns: nothing is cut inside a number or an id; what is said can be pasted."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import shlex
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT

NUMBER = r"-?\d[\d,]*(\.\d+)?(e[-+]?\d+)?"


def on_terminal(columns: int, folder: Path, *arguments: str) -> str:
    """What a terminal of this width gets to see, without escape sequences."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name != "COLUMNS"} | {"TERM": "xterm"}
    command = [sys.executable, "-m", "backprop_cli", *arguments]
    child = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, cwd=folder, env=env)
    os.close(theirs)
    seen = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the child has closed its end
            break
        seen += part
    os.close(ours)
    assert child.wait(60) == 0, seen
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen.decode())


@pytest.mark.parametrize("columns", [80, 40])
def test_the_lines_and_the_bar_of_an_epoch(tmp_path: Path, columns: int) -> None:
    config = str(ROOT / "configs/moons.yaml")
    seen = on_terminal(columns, tmp_path, "train", config, "--epochs", "400", "--run-dir", "run")
    lines = [line.rstrip() for line in re.split(r"[\r\n]+", seen) if "epoch" in line or "/loss" in line]
    assert len(lines) > 3
    assert all(len(line) <= columns and "…" not in line for line in lines)
    for name, end in re.findall(r"(train/loss|validation/loss|train/accuracy|validation/accuracy) ?(.*)", seen):
        assert re.match(NUMBER, end), name
    bars = [line for line in lines if re.match(r"epoch \d+/400 (?!  step)", line) and "step" not in line]
    assert any(re.search(r"loss \d+\.\d{4}( |$)", line) for line in bars), bars


def test_ids_stay_whole(bp: Callable, tmp_path: Path) -> None:
    for _ in range(2):
        assert bp("train", "configs/moons.yaml", "--epochs", "1", "--quiet").code == 0
    ids = sorted(path.name for path in (tmp_path / "runs").iterdir())
    for columns in ("80", "60", "40"):
        listed = bp("runs", "ls", COLUMNS=columns).out
        assert [each for each in ids if each not in listed] == [], listed
        assert max(map(len, listed.splitlines())) <= int(columns)


def test_a_run_shows_ids_paths_and_numbers_whole(bp: Callable) -> None:
    assert bp("train", "configs/moons.yaml", "--epochs", "1", "--quiet").code == 0
    told = bp("runs", "show", "latest", "--json").json
    for columns in ("80", "40"):
        words = bp("runs", "show", "latest", COLUMNS=columns).out.split()
        whole = {told["id"], told["started"], told["run_dir"], str(told["host"]["pid"]), told["dataset"]["fingerprint"]}
        assert whole <= set(words), whole - set(words)
        assert f"origins {len(told['origins'])} values of the config" in " ".join(words)


def test_two_runs_side_by_side_fit_80_columns(bp: Callable) -> None:
    """A table for what differs in the configs, one for the figures; keys stay whole, to be pasted after --set."""
    for name in ("xor", "cnn"):
        assert bp("train", f"configs/{name}.yaml", "--epochs", "1", "--quiet", "--run-dir", name).code == 0
    shown = bp("runs", "compare", "cnn", "xor", COLUMNS="80").out
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.split("\n")[0].split() == ["config", "cnn", "xor"]
    keys = bp("runs", "compare", "cnn", "xor", "--format", "csv").out.splitlines()
    keys = [line.split(",")[1] for line in keys if line.startswith("config,")]
    assert len(keys) > 9
    assert [key for key in keys if not re.search(rf"^{re.escape(key)} ", shown, re.MULTILINE)] == []
    assert re.search(r"^run +cnn +xor +last − first$", shown, re.MULTILINE)


def test_after_ctrl_c_the_very_command_that_goes_on(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "backprop_cli", "train", str(ROOT / "configs/xor.yaml"), "--epochs", "1000000"]
    child = subprocess.Popen([*command, "--runs", "my runs"], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    assert child.stderr is not None
    assert "epoch" in child.stderr.readline()
    child.send_signal(signal.SIGINT)
    said = child.stderr.read()
    assert child.wait(60) == 130
    (run,) = (tmp_path / "my runs").iterdir()
    assert f"the run is in my runs/{run.name}" in said
    (goes_on,) = re.findall(r"bp (train --resume .+)", said)
    words = [*shlex.split(goes_on), "--set", "trainer.epochs=100000000", "--quiet"]
    again = subprocess.Popen([sys.executable, "-m", "backprop_cli", *words], cwd=tmp_path)
    again.send_signal(signal.SIGTERM)
    assert again.wait(60) in (143, -15)
