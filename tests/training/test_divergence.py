"""Training that diverges stops at that step, says where, and spoils no checkpoint."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.engine.graph import Network
from backprop_cli.errors import DataError, DivergedError
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.divergence import first_infinite, infinite
from backprop_cli.training.loop import Callback, Loop
from tests.checkpoints import Checkpoint
from tests.conftest import ROOT
from tests.reliability.compare import EVERYTHING, rows

POISON = [np.nan, np.inf, -np.inf]


def network() -> Network:
    return build.prepare(load_config(EVERYTHING)).network


@pytest.mark.filterwarnings("ignore:.* encountered in dot")  # the loop silences them as a whole
class TestTheCheck:
    @pytest.mark.parametrize("value", POISON)
    def test_every_place_is_seen(self, value: float) -> None:
        trained = network()
        found = trained.store
        assert infinite(trained) is None
        for what, vector in {"gradient": found.gradients, "weight": found.values}.items():
            for place in range(0, found.trainable, 7):
                kept, vector[place] = vector[place], value
                assert infinite(trained) == what
                vector[place] = kept
        assert infinite(trained) is None

    def test_large_is_not_infinite(self) -> None:
        trained = network()
        found = trained.store
        found.values[:2], found.gradients[:2] = 3e38, [3e38, -3e38]
        assert infinite(trained) is None
        assert first_infinite({"weights": found.values}) is None

    @pytest.mark.parametrize("value", POISON)
    def test_running_statistics_count(self, value: float) -> None:
        found = network().store
        found.state[3] = value
        assert first_infinite({"weights": found.values, "state": found.state}) == "state"


class Spoil(Callback):
    """Puts a value somewhere after a step."""

    def __init__(self, step: int, name: str, value: float) -> None:
        self.at, self.name, self.value = step, name, value

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.at:
            arrays = {**loop.network.parameters, **loop.network.states}
            arrays[self.name].flat[0] = self.value


def diverge(path: Path, *overrides: str, callbacks: Any = ()) -> DivergedError:
    options = ["trainer.checkpoint.every_steps=1", *overrides]
    with pytest.raises(DivergedError) as caught:
        train(load_config(EVERYTHING, options), run_dir=path, callbacks=callbacks)
    assert RunDirectory(path).info["status"] == "diverged"
    assert caught.value.exit_code == 1
    rows(path)  # JSON throughout
    for file in (path / "checkpoints").iterdir():
        assert all(np.isfinite(array).all() for array in Checkpoint.read(file).arrays.values()), file
    return caught.value


@pytest.mark.parametrize("value", POISON)
@pytest.mark.parametrize("name", ["dense_1.W", "dense_2.b"])
def test_a_weight(tmp_path: Path, name: str, value: float) -> None:
    error = diverge(tmp_path / "run", callbacks=[Spoil(4, name, value)])
    assert "at step 5" in str(error)
    assert f"first in layer {name.split('.')[0]}, whose {name} is not finite" in str(error)


@pytest.mark.parametrize("value", [-np.inf, np.inf])
def test_a_weight_that_a_saturated_unit_hides(tmp_path: Path, value: float) -> None:
    """The sigmoid of ±∞ is 0 or 1 with slope 0: loss and gradients stay finite."""
    activation = "architecture.3={type: sigmoid}"
    error = diverge(tmp_path / "run", activation, callbacks=[Spoil(4, "batch_norm_1.beta", value)])
    assert "a weight is NaN or infinite at step 5" in str(error)
    assert "first in layer batch_norm_1, whose batch_norm_1.beta is not finite" in str(error)


def test_a_running_statistic(tmp_path: Path) -> None:
    """Training does not read them, evaluation does: seen when the epoch is over, before it would be saved."""
    error = diverge(tmp_path / "run", callbacks=[Spoil(4, "batch_norm_1.running_mean", np.nan)])
    assert "batch_norm_1" in str(error)


def test_the_memory_of_the_optimizer(tmp_path: Path) -> None:
    """g² overflows where g does not: the weights would stand still for ever, and look healthy."""

    class Overflow(Callback):
        def step(self, loop: Loop, loss: float) -> None:
            if loop.step == 4:
                loop.optimizer.memory["v"][0] = np.inf

    error = diverge(tmp_path / "run", callbacks=[Overflow()])
    assert "the optimizer's v is NaN or infinite after step 5" in str(error)
    assert "dense_1.W" in str(error)


def test_the_batch_is_kept(tmp_path: Path) -> None:
    error = diverge(tmp_path / "run", "optimizer.learning_rate=1e38", "optimizer.clip_norm=1e30", "optimizer.type=sgd")
    found = np.load(tmp_path / "run" / "batch.npz")
    assert found["x"].shape == (20, 8, 8, 1)
    assert found["y"].shape == (20,)
    assert str(tmp_path / "run" / "batch.npz") in str(error)
    assert "layer" in str(error)


def test_a_batch_that_is_not_finite_is_named(tmp_path: Path) -> None:
    x = np.ones((40, 3))
    x[33] = 1e30  # finite until it is scaled
    np.savez(tmp_path / "data.npz", x=x, y=np.arange(40) % 2)
    (tmp_path / "config.yaml").write_text(
        "dataset: {source: files, path: data.npz, splits: {train: train}, transforms: [{type: scale, by: 1e+20}]}\n"
        "architecture: [{type: dense, units: 2, activation: softmax}]\n"
        "loss: cross_entropy\n"
        "trainer: {epochs: 1, batch_size: 10, shuffle: false}\n"
    )
    cfg = load_config(tmp_path / "config.yaml")
    place = int(np.argmax(build.prepare(cfg).dataset.splits["train"].x[:, 0]))
    with pytest.raises(DivergedError, match=rf"step {place // 10 + 1} .*the batch itself"):
        train(cfg, run_dir=tmp_path / "run")


def test_it_can_go_on_from_the_last_good_checkpoint(tmp_path: Path) -> None:
    diverge(tmp_path / "run", callbacks=[Spoil(4, "dense_1.W", np.nan)])
    assert Checkpoint.read(tmp_path / "run/checkpoints/last.safetensors").values["step"] in (3, 4)
    resume(RunDirectory(tmp_path / "run"))
    train(load_config(EVERYTHING, ["trainer.checkpoint.every_steps=1"]), run_dir=tmp_path / "unbroken")
    assert rows(tmp_path / "run") == rows(tmp_path / "unbroken")


def test_the_command_says_it_in_one_line(bp, tmp_path: Path) -> None:
    done = bp("train", "configs/moons.yaml", "--set", "optimizer.learning_rate=1e37", "--run-dir", "run", "--quiet")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "learning rate 1e+37" in done.err
    assert json.loads((tmp_path / "run/run.json").read_text())["status"] == "diverged"


class Fail(Callback):
    """Spoils a weight, or breaks the training off with another error, after an epoch."""

    def __init__(self, epoch: int, error: Exception | None) -> None:
        self.at, self.error = epoch, error
        self.weights: dict[int, dict[str, np.ndarray]] = {}

    def epoch(self, loop: Loop, row: dict[str, float]) -> None:
        made = loop.epoch - 1
        self.weights[made] = {name: each.copy() for name, each in loop.network.parameters.items()}
        if made == self.at:
            if self.error is not None:
                raise self.error
            loop.network.parameters["dense_2.W"][0, 0] = np.nan


@pytest.mark.parametrize("error", [None, DataError("no more data")], ids=["diverged", "failed"])
def test_the_best_epoch_is_kept_however_soon_it_fails(bp, tmp_path: Path, error: Exception | None) -> None:
    fail = Fail(4, error)
    with pytest.raises(DivergedError if error is None else DataError):
        train(load_config(ROOT / "configs/moons.yaml"), run_dir=tmp_path / "run", callbacks=[fail])
    run = RunDirectory(tmp_path / "run")
    best = run.info["best"]
    kept = Checkpoint.read(tmp_path / "run/checkpoints/best.safetensors")
    assert kept.values["epoch"] == best["epoch"] <= 4
    for name, weights in fail.weights[best["epoch"]].items():
        np.testing.assert_array_equal(kept.arrays[name], weights)
    measured = bp("eval", tmp_path / "run", "--split", "validation", "--json")
    assert measured.json["metrics"]["loss"] == pytest.approx(best["validation/loss"], rel=1e-6)
