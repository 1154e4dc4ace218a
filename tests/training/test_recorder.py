"""When the training writes a checkpoint by itself."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import RunError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.checkpoints.saved import LAST
from backprop_cli.training.callbacks import recorder
from backprop_cli.training.loop import Callback, Loop, Row
from tests.reliability.compare import EVERYTHING


class Saved(Callback):
    """The step of last.safetensors after each epoch; 0 where there is none."""

    def __init__(self, folder: Path) -> None:
        self.path, self.steps = folder / "checkpoints" / LAST, list[int]()

    def epoch(self, loop: Loop, row: Row) -> None:
        self.steps.append(CheckpointFile(self.path).values["step"] if self.path.exists() else 0)


@pytest.mark.parametrize(
    ("between", "share", "number"),
    [(0.0, 1e9, 6), (3600.0, 1e9, 0), (0.0, 1e-9, 1)],
    ids=["every epoch", "epochs too short", "writing takes too long"],
)
def test_by_default_checkpoints_take_a_small_share_of_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, between: float, share: float, number: int
) -> None:
    monkeypatch.setattr(recorder, "SECONDS_BETWEEN", between)
    monkeypatch.setattr(recorder, "SHARE", share)
    watch = Saved(tmp_path / "run")
    cfg = load_config(EVERYTHING, ["trainer.epochs=6", "~trainer.early_stopping"])
    train(cfg, run_dir=tmp_path / "run", callbacks=[watch])
    assert len(set(watch.steps) - {0}) == number
    assert CheckpointFile(watch.path).values["epoch"] == 7


def test_why_a_checkpoint_cannot_be_written_is_said_once(tmp_path: Path) -> None:
    """It is tried once more when the training ends, and fails for the same reason."""

    class Gone(Callback):
        def step(self, loop: Loop, loss: float) -> None:
            if loop.step == 4:
                shutil.rmtree(tmp_path / "run/checkpoints")

    said: list[str] = []
    cfg = load_config("bp:xor", ["trainer.checkpoint.every_steps=3", "trainer.epochs=9"])
    with pytest.raises(RunError, match="cannot write"):
        train(cfg, run_dir=tmp_path / "run", warn=said.append, callbacks=[Gone()])
    assert not [each for each in said if "cannot write" in each]
