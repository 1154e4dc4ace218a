"""Signals to the real command: a checkpoint, the right exit code, and soon."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING

ENDLESS = ["--set", "trainer.epochs=1000000", "--set", "trainer.early_stopping.patience=1000000"]
NUMBERS = {"SIGINT": 130, "SIGTERM": 143, "SIGHUP": 129}


def heed() -> None:
    """As from a terminal: under nohup, or behind a shell's &, a child would ignore what its parent ignores."""
    for each in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)


@contextmanager
def start(folder: Path, *options: str, before: Callable[[], None] = heed) -> Iterator[subprocess.Popen[str]]:
    """A training, which is killed at the end of the block if it still runs: a failed test must not wait for it."""
    command = [sys.executable, "-m", "backprop_cli", "train", str(EVERYTHING), "--run-dir", "run", *options]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, cwd=folder, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=before)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def ended(process: subprocess.Popen[str]) -> str:
    """What a process that has been told to end says until it has."""
    return process.communicate(timeout=30)[1]


def wait_for(path: Path) -> None:
    """Until there is something in the file."""
    end = time.monotonic() + 60
    while not (path.exists() and path.stat().st_size):
        assert time.monotonic() < end
        time.sleep(0.01)


def status(run: Path) -> str:
    return json.loads((run / "run.json").read_text())["status"]


@pytest.mark.parametrize("name", list(NUMBERS))
def test_a_signal_leaves_a_checkpoint(tmp_path: Path, name: str) -> None:
    with start(tmp_path, *ENDLESS) as process:
        wait_for(tmp_path / "run/metrics.jsonl")
        began = time.monotonic()
        process.send_signal(getattr(signal, name))
        err = ended(process)
    assert time.monotonic() - began < 2
    assert process.returncode == NUMBERS[name]
    assert f"stopped by {name} after step" in err
    assert "Traceback" not in err
    assert status(tmp_path / "run") == "interrupted"
    assert (tmp_path / "run/checkpoints/last.safetensors").exists()


def test_before_there_is_a_run(tmp_path: Path) -> None:
    """While data are loaded: nothing has appeared, and nothing is left behind."""
    (tmp_path / "slow.py").write_text("import time; open('loading', 'w').write('x'); time.sleep(60)")
    with start(tmp_path, "--set", f"plugins=[{tmp_path / 'slow.py'}]") as process:
        wait_for(tmp_path / "loading")
        began = time.monotonic()
        process.terminate()
        err = ended(process)
    assert time.monotonic() - began < 2
    assert process.returncode == 143
    assert "Traceback" not in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loading", "slow.py"]


def test_a_second_signal_ends_at_once(tmp_path: Path) -> None:
    """The step takes a minute; the checkpoint before it stays."""
    (tmp_path / "slow.py").write_text(
        "import time\n"
        "from backprop_cli.engine.layer import Layer, layer\n"
        "@layer('slow')\n"
        "class Slow(Layer):\n"
        "    def build(self, *shapes): return shapes[0]\n"
        "    def forward(self, x, y, training):\n"
        "        y[...] = x\n"
        "        self.calls = getattr(self, 'calls', 0) + 1\n"
        "        if self.calls > 3:\n"
        "            open('slow', 'w').write('x')\n"
        "            end = time.monotonic() + 60\n"
        "            while time.monotonic() < end: time.sleep(1)\n"
        "    def backward(self, x, y, dy, dx): dx[...] = dy\n"
    )
    options = [f"plugins=[{tmp_path / 'slow.py'}]", "architecture+=slow", "trainer.checkpoint.every_steps=1"]
    options += ["architecture.6.activation=relu", "architecture+={type: dense, units: 10, activation: softmax}"]
    with start(tmp_path, *[word for each in options for word in ("--set", each)]) as process:
        wait_for(tmp_path / "slow")
        wait_for(tmp_path / "run/checkpoints/last.safetensors")
        time.sleep(0.2)
        before = (tmp_path / "run/checkpoints/last.safetensors").read_bytes()
        process.terminate()
        time.sleep(0.5)
        assert process.poll() is None  # the step is not over
        began = time.monotonic()
        process.terminate()
        ended(process)
    assert time.monotonic() - began < 1
    assert process.returncode == -signal.SIGTERM
    assert (tmp_path / "run/checkpoints/last.safetensors").read_bytes() == before


def test_an_ignored_signal_stays_ignored(tmp_path: Path) -> None:
    """A shell script starts its background jobs with SIGINT ignored, nohup with SIGHUP."""

    def ignore() -> None:
        heed()
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with start(tmp_path, *ENDLESS, before=ignore) as process:
        wait_for(tmp_path / "run/metrics.jsonl")
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert process.poll() is None
        process.terminate()
        ended(process)
    assert process.returncode == 143


def test_under_nohup_these_tests_send_signals_that_are_heard(tmp_path: Path) -> None:
    """A child of a process that ignores SIGHUP ignores it, too, and the test of it would wait for ever."""
    here = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with start(tmp_path, *ENDLESS) as process:
            wait_for(tmp_path / "run/metrics.jsonl")
            process.send_signal(signal.SIGHUP)
            ended(process)
    finally:
        signal.signal(signal.SIGHUP, here)
    assert process.returncode == NUMBERS["SIGHUP"]
