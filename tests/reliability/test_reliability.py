"""The trials of this folder: a few of each with `-m long`, those that take seconds always, all of them with `-m slow`.
docs/reliability.md has their results."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.reliability.commands import LINES, NOTEBOOK, leaf, leaves

SECONDS = [("kill", 4), ("damage", 6)]
LONG = [
    ("torn", 3),
    ("diverging", 5),
    ("consent", 1),
    ("typed", 60),
    ("escapes", 30),
    ("special", 40),
    ("descriptors", 4),
]
FEW = [*SECONDS, *(pytest.param(*trials, marks=pytest.mark.long) for trials in LONG)]
ALL = [
    *[("kill", 200), ("damage", 200), ("torn", 60), ("diverging", 100), ("together", 50), ("consent", 4)],
    *[
        ("typed", 10_000),
        ("escapes", 100),
        ("hostile_inputs", None),
        ("syscalls", 1),
        ("faults", 1),
        ("clock", None),
        ("bombs", None),
        ("sweeps", 200),
        ("special", 10_000),
        ("descriptors", 1000),
        ("startup", 300),
        ("served", 5000),
    ],
]
TOOLS = {"syscalls": "strace", "faults": "strace", "clock": "cc"}


def test_the_trials_ask_every_command_that_there_is() -> None:
    assert {leaf(line) for line in LINES} - {NOTEBOOK} == leaves()


def run(name: str, trials: int | None) -> None:
    arguments = [] if trials is None else ["--trials", str(trials)]
    command = [sys.executable, "-m", f"tests.reliability.{name}", *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=env, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    print(done.stdout)


@pytest.mark.parametrize(("name", "trials"), FEW)
def test_a_few(name: str, trials: int) -> None:
    run(name, trials)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("name", "trials"), ALL)
def test_all(name: str, trials: int | None) -> None:
    tool = TOOLS.get(name)
    assert tool is None or shutil.which(tool), f"these trials need {tool}"
    run(name, trials)
