"""A run that was stopped and goes on ends in the same bits as one that never was."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.errors import InterruptedRunError, UsageError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback, Loop
from tests.reliability.compare import EVERYTHING, differences, outcome, rows

STEPS = 12  # of the whole training, 6 an epoch


class StopAt(Callback):
    """Sends this process a signal after a step, or in the middle of the evaluation that follows it."""

    def __init__(self, step: int, evaluating: bool = False, number: int = signal.SIGTERM) -> None:
        self.at, self.evaluating, self.number = step, evaluating, number

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step != self.at:
            return
        if not self.evaluating:
            os.kill(os.getpid(), self.number)
            return
        loop.between_batches(lambda: os.kill(os.getpid(), self.number))


def unbroken(tmp_path: Path, *overrides: str) -> Path:
    path = tmp_path / "unbroken"
    train(load_config(EVERYTHING, list(overrides)), run_dir=path)
    return path


def stop(path: Path, callback: Callback, *overrides: str) -> None:
    """Train until the callback stops it, once more if `path` is a run already."""
    if path.exists():
        work = partial(resume, RunDirectory(path))
    else:
        work = partial(train, load_config(EVERYTHING, list(overrides)), run_dir=path)
    with pytest.raises(InterruptedRunError) as caught:
        work(callbacks=[callback])
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert RunDirectory(path).info["status"] == "interrupted"


@pytest.mark.large
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_stopped_at_every_step(tmp_path: Path, dtype: str) -> None:
    expected = outcome(unbroken(tmp_path, f"dtype={dtype}"))
    assert len(expected["rows"]) == 2
    for step in range(1, STEPS):
        path = tmp_path / str(step)
        stop(path, StopAt(step), f"dtype={dtype}")
        resume(RunDirectory(path))
        assert differences(outcome(path), expected) == [], f"stopped after step {step}"


@pytest.mark.parametrize("step", [6, 12])
def test_stopped_during_evaluation(tmp_path: Path, step: int) -> None:
    expected = outcome(unbroken(tmp_path))
    path = tmp_path / "stopped"
    stop(path, StopAt(step, evaluating=True))
    assert len(rows(path)) == step // 6 - 1
    resume(RunDirectory(path))
    assert differences(outcome(path), expected) == []


def test_stopped_after_each_step_of_one_run(tmp_path: Path) -> None:
    expected = outcome(unbroken(tmp_path))
    path = tmp_path / "stopped"
    for step in range(1, STEPS):
        stop(path, StopAt(step))
    resume(RunDirectory(path))
    assert differences(outcome(path), expected) == []


def test_early_stopping_counts_on(tmp_path: Path) -> None:
    options = ["trainer.epochs=9", "trainer.early_stopping.patience=1", "optimizer.learning_rate=0.5"]
    expected = outcome(unbroken(tmp_path, *options))
    assert len(expected["rows"]) < 9
    last = expected["values"]["step"]
    for step in (last - 7, last - 1):
        path = tmp_path / str(step)
        stop(path, StopAt(step), *options)
        resume(RunDirectory(path))
        assert differences(outcome(path), expected) == []


def test_more_epochs(tmp_path: Path) -> None:
    expected = outcome(unbroken(tmp_path, "trainer.epochs=3"))
    path = tmp_path / "longer"
    train(load_config(EVERYTHING, ["trainer.epochs=2"]), run_dir=path)
    before = outcome(path)
    assert resume(RunDirectory(path))["status"] == "completed"  # nothing is left to do
    assert differences(outcome(path), before) == []
    with pytest.raises(UsageError, match="has made 2 epochs"):
        resume(RunDirectory(path), epochs=1)
    resume(RunDirectory(path), epochs=3)
    assert differences(outcome(path), expected) == []
    assert load_config(path / "config.yaml").trainer.epochs == 3


def test_a_run_without_a_checkpoint_starts_at_the_first_step(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    expected = outcome(unbroken(tmp_path))
    path = tmp_path / "killed"
    stop(path, StopAt(3))
    (path / "checkpoints" / "last.safetensors").unlink()
    resume(RunDirectory(path))
    assert "starting at the first step" in capsys.readouterr().err
    assert differences(outcome(path), expected) == []
