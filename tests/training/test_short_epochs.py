"""Epochs of a few steps that are made in one go leave what single ones leave: weights, rows, checkpoints, errors."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.train import train
from backprop_cli.engine import kernels
from backprop_cli.engine.replay.epochs import Epochs, Passed
from backprop_cli.errors import DivergedError, UsageError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.rows import Rows
from backprop_cli.training.callbacks.best import Best
from backprop_cli.training.callbacks.stop_at import StopAt
from backprop_cli.training.loop import Callback, Loop, Row
from tests.conftest import ROOT

pytestmark = pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")
NOISY = ["architecture.0.activation=tanh", "optimizer.learning_rate=4.0", "dataset.samples=40", "trainer.batch_size=8"]
CASES: dict[str, list[str]] = {
    "plain": ["trainer.epochs=2000"],
    "shuffled": [*NOISY, "trainer.epochs=300"],
    "dropout": [
        "dataset.samples=40",
        "trainer.batch_size=8",
        'architecture=[{"type": "dense", "units": 4}, {"type": "dropout", "rate": 0.1}, {"type": "dense", "units": 1, '
        '"activation": "sigmoid"}]',
        "trainer.epochs=200",
    ],
    "adam, schedule, mean of the weights": [
        'optimizer={"type": "adam", "schedule": "cosine", "ema": 0.9, "learning_rate": 0.1}',
        "trainer.epochs=700",
    ],
    "clipping for a while": ["optimizer.clip_norm=0.1", "trainer.epochs=1500"],
    "early stopping": [
        *NOISY,
        "trainer.epochs=600",
        'trainer.early_stopping={"monitor": "train/loss", "patience": 40}',
    ],
    "accuracy is watched": [*NOISY, "trainer.epochs=300", 'trainer.checkpoint={"monitor": "train/accuracy"}'],
    "a checkpoint every few epochs": ["trainer.epochs=200", 'trainer.checkpoint={"every_epochs": 7, "keep_last": 30}'],
    "a checkpoint every few steps": [*NOISY, "trainer.epochs=60", 'trainer.checkpoint={"every_steps": 33}'],
    "a short batch at the end": ["dataset.samples=42", "trainer.batch_size=8", "trainer.epochs=60"],
    "short batches left out": [
        "dataset.samples=42",
        "trainer.batch_size=8",
        "trainer.drop_last=true",
        "trainer.epochs=200",
    ],
    "a csv": ["trainer.epochs=300", 'trainer.loggers=["csv"]'],
}


def run(folder: Path, sets: Sequence[str], callbacks: Sequence[Callback] = ()) -> dict[str, Any]:
    return train(load_config(ROOT / "configs/xor.yaml", [*sets]), run_dir=folder, callbacks=callbacks)


def rows(folder: Path, name: str = "metrics.jsonl") -> list[dict[str, Any]]:
    lines = (folder / name).read_text().splitlines()
    return [{key: value for key, value in json.loads(line).items() if key != "time"} for line in lines]


def checkpoints(folder: Path) -> dict[str, dict[str, bytes]]:
    """The arrays of each; without older ones that were written for the time that had passed."""
    policy = load_config(folder / "config.yaml").trainer.checkpoint
    counted = policy.every_epochs or policy.every_steps
    paths = sorted((folder / "checkpoints").glob("*" if counted else "[a-z]*t.safetensors"))
    read = {path.name: CheckpointFile(path).read() for path in paths}
    return {name: {key: array.tobytes() for key, array in arrays.items()} for name, arrays in read.items()}


class Counts(Callback):
    """How many epochs were told together."""

    def __init__(self) -> None:
        self.together: list[int] = []

    def epoch(self, loop: Loop, row: Row) -> None:
        self.together.append(1)

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        assert [row["epoch"] for row in rows] == list(range(loop.epoch - len(rows), loop.epoch))
        assert rows[-1]["step"] == loop.step
        self.together.append(len(rows))


@pytest.mark.large
@pytest.mark.parametrize("case", CASES)
def test_they_leave_what_single_epochs_leave(case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = Counts()
    one = run(tmp_path / "several", CASES[case], [counts])
    monkeypatch.setattr(Epochs, "several", lambda *arguments: None)
    other = run(tmp_path / "single", CASES[case])
    assert (max(counts.together) > 1) == (case != "a short batch at the end")
    assert sum(counts.together) == one["epochs"] == other["epochs"]
    assert rows(tmp_path / "several") == rows(tmp_path / "single")
    assert one["best"] == other["best"]
    assert checkpoints(tmp_path / "several") == checkpoints(tmp_path / "single")
    reasons = [json.loads((tmp_path / name / "run.json").read_text()).get("reason") for name in ("several", "single")]
    assert reasons[0] == reasons[1]


def test_few_are_told_of_while_most_are_made_at_once(tmp_path: Path) -> None:
    counts = Counts()
    run(tmp_path / "run", ["trainer.epochs=10000", "trainer.diagnostics=false"], [counts])
    assert len(counts.together) < 40


class Wants(Callback):
    """Every epoch when it ends."""

    def __init__(self) -> None:
        self.epochs: list[int] = []

    def epoch(self, loop: Loop, row: Row) -> None:
        assert loop.epoch == row["epoch"] + 1
        self.epochs.append(loop.epoch)


def test_who_has_no_hook_for_many_hears_of_each(tmp_path: Path) -> None:
    wants = Wants()
    run(tmp_path / "run", ["trainer.epochs=100"], [wants])
    assert wants.epochs == list(range(2, 102))


class Spoils(Callback):
    """Makes a weight infinite after an epoch, in the middle of what would be made at once."""

    def __init__(self, epoch: int, value: float) -> None:
        self.at, self.value = epoch, value

    def at_once(self, loop: Loop, rows: Sequence[Row]) -> int:
        epochs = [row["epoch"] for row in rows]
        return epochs.index(self.at) + 1 if self.at in epochs else len(rows)

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        if rows[-1]["epoch"] == self.at:
            loop.network.parameters["dense_1.W"][0, 0] = self.value

    def epoch(self, loop: Loop, row: Row) -> None:
        self.many_epochs(loop, [row])


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e30])
def test_a_training_diverges_at_the_same_step(value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said = []
    sets = ["trainer.epochs=900", "architecture.0.activation=relu"]
    for name in ("several", "single"):
        if name == "single":
            monkeypatch.setattr(Epochs, "several", lambda *arguments: None)
        with pytest.raises(DivergedError) as error:
            run(tmp_path / name, sets, [Spoils(500, value)])
        said.append(
            (str(error.value).replace(name, ""), rows(tmp_path / name), rows(tmp_path / name, "diagnostics.jsonl"))
        )
    assert said[0] == said[1]
    assert len(said[0][1]) >= 500


def test_weights_that_grow_past_all_numbers_are_found_in_their_epoch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the middle of epochs made at once, seen by nobody: it is the optimizer's memory."""
    said = []
    sets = ["trainer.epochs=900", 'optimizer={"type": "sgd", "momentum": 0.9, "learning_rate": 1.0e-30}']
    for name in ("several", "single"):
        if name == "single":
            monkeypatch.setattr(Epochs, "several", lambda *arguments: None)
        with pytest.raises(DivergedError) as error:
            run(tmp_path / name, sets, [Grows()])
        said.append((str(error.value), rows(tmp_path / name)))
    assert said[0] == said[1]


class Grows(Callback):
    """From epoch 300 on the velocity is so large that it overflows some epochs later."""

    def at_once(self, loop: Loop, rows: Sequence[Row]) -> int:
        epochs = [row["epoch"] for row in rows]
        return epochs.index(300) + 1 if 300 in epochs else len(rows)

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        if rows[-1]["epoch"] == 300:
            loop.optimizer.momentum = 1.5  # type: ignore[attr-defined]
            loop.optimizer.memory["velocity"][:] = 1e30
            loop.replay._bound = None  # the number is recorded anew

    def epoch(self, loop: Loop, row: Row) -> None:
        self.many_epochs(loop, [row])


def test_a_stopped_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    from backprop_cli.commands.resume import resume
    from backprop_cli.errors import InterruptedRunError
    from backprop_cli.runs.directory import RunDirectory

    whole = run(tmp_path / "whole", ["trainer.epochs=3000"])
    with pytest.raises(InterruptedRunError):
        run(tmp_path / "half", ["trainer.epochs=3000"], [Stops(1234)])
    resumed = resume(RunDirectory(tmp_path / "half"))
    assert resumed["epochs"] == whole["epochs"] == 3000
    assert rows(tmp_path / "half") == rows(tmp_path / "whole")
    assert checkpoints(tmp_path / "half")["last.safetensors"] == checkpoints(tmp_path / "whole")["last.safetensors"]


class Stops(Callback):
    """As a signal that comes while an epoch is made."""

    def __init__(self, epoch: int) -> None:
        self.at = epoch

    def many_epochs(self, loop: Loop, rows: Sequence[Row]) -> None:
        from backprop_cli.errors import InterruptedRunError

        if rows[-1]["epoch"] >= self.at:
            raise InterruptedRunError("stopped by SIGTERM", 15)

    def epoch(self, loop: Loop, row: Row) -> None:
        self.many_epochs(loop, [row])


@pytest.mark.large
def test_the_program_of_an_epoch_is_bound_by_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No more is made at once than a signal may wait for."""
    longest = []
    before = Epochs._run

    def watched(self: Epochs, epochs: int, patience: float) -> tuple[Passed, bool]:
        passed, stopped = before(self, epochs, patience)
        longest.append(passed.ends[-2] - passed.ends[0] if len(passed.ends) > 1 else 0.0)
        return passed, stopped

    monkeypatch.setattr(Epochs, "_run", watched)
    run(tmp_path / "run", [*NOISY, "trainer.epochs=2000", "architecture.0.units=400", "dataset.samples=160"])
    assert longest and max(longest) < 0.1


@pytest.mark.parametrize(
    "callback",
    [
        lambda: Best("train/none", build.prepare(load_config(ROOT / "configs/xor.yaml")).network.store),
        lambda: StopAt(monitor="train/none", value=0.0),
    ],
)
def test_a_column_that_rows_do_not_have_is_refused_not_a_key_error(callback: Any) -> None:
    rows, loop = Rows({"epoch": [1, 2], "train/loss": [0.5, 0.4]}), SimpleNamespace(metrics=[])
    told = callback()
    assert told.at_once(loop, rows) == 2
    with pytest.raises(UsageError, match="there is no 'train/none' in an epoch's row"):
        told.many_epochs(loop, rows)
