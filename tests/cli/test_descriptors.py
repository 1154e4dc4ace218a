"""bp started with some of the descriptors 0 to 2 closed, as `bp train c.yaml 0<&-` does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import combinations
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING

ALL = [closed for size in (1, 2, 3) for closed in combinations(range(3), size)]
FEW = [(0,), (0, 1, 2)]
MARKED = [each if each in FEW else pytest.param(each, marks=pytest.mark.slow) for each in ALL]


@pytest.mark.skipif(sys.platform != "linux", reason="open files are looked up in /proc")
@pytest.mark.parametrize(
    "closed", [each if each in FEW else pytest.param(each, marks=pytest.mark.slow) for each in ALL]
)
def test_nothing_that_matters_takes_the_place_of_a_closed_descriptor(tmp_path: Path, closed: tuple[int, ...]) -> None:
    def close() -> None:
        for handle in closed:
            os.close(handle)

    command = [sys.executable, "-m", "backprop_cli", "train", str(EVERYTHING), "--run-dir", "run"]
    options = ["trainer.epochs=1000000", "trainer.early_stopping.patience=1000000"]
    command += [word for each in options for word in ("--set", each)]
    log = tmp_path / "run/metrics.jsonl"
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
    with subprocess.Popen(command, cwd=tmp_path, env=env, preexec_fn=close, **streams) as process:
        end = time.monotonic() + 60
        while not (log.exists() and log.stat().st_size):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        opened = {handle: os.readlink(f"/proc/{process.pid}/fd/{handle}") for handle in range(3)}
        process.send_signal(signal.SIGTERM)
        process.communicate()
    assert process.returncode == 143
    assert {handle: opened[handle] for handle in closed} == dict.fromkeys(closed, os.devnull)


@pytest.mark.parametrize("closed", [(0, 1, 2)])
def test_a_command_that_only_reads(tmp_path: Path, closed: tuple[int, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "backprop_cli", "runs", "ls"],
        cwd=tmp_path,
        preexec_fn=lambda: [os.close(handle) for handle in closed],
        check=False,
    )
    assert done.returncode == 0
