"""Masked weights stay 0 through every optimizer, rounds of pruning take the weights that they say, and a run that was
stopped goes on with its mask."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.engine import kernels
from backprop_cli.errors import ConfigError, InterruptedRunError
from backprop_cli.registry import classes
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.loop import Callback, Loop
from tests.reliability.compare import differences, outcome
from tests.training.test_replay import assert_the_same, call_by_call

BASE: dict[str, Any] = {
    "dataset": {
        "source": "synthetic",
        "name": "moons",
        "samples": 200,
        "splits": {"train": "80%", "validation": "20%"},
    },
    "architecture": [
        {"type": "dense", "units": 16, "activation": "tanh"},
        {"type": "batch_norm"},
        {"type": "dense", "units": 2, "activation": "softmax"},
    ],
    "loss": "cross_entropy",
    "optimizer": {"type": "adam", "learning_rate": 0.01},
    "trainer": {"epochs": 4, "batch_size": 16, "diagnostics": False},
}  # fmt: skip
PRUNED = {"every": 2, "rounds": 3, "fraction": 0.5}


def config(pruning: dict[str, Any] | None = None, **changes: Any) -> Any:
    trainer = {
        **BASE["trainer"],
        **({"epochs": 8, "pruning": pruning} if pruning else {}),
        **changes.pop("trainer", {}),
    }
    return load_config({**BASE, "trainer": trainer, **changes})


def loop_of(cfg: Any, *callbacks: Callback) -> Loop:
    return build.training(build.prepare(cfg), callbacks)[0]


def masks(loop: Loop) -> dict[str, Any]:
    store = loop.network.store
    assert store.mask is not None
    return {name: store.mask[span].reshape(store.entries[name].shape) for name, span in store.spans.items()}


OPTIONS: dict[str, dict[str, Any]] = {
    "sgd": {"momentum": 0.9, "nesterov": True},
    "adam": {"ema": 0.9, "clip_norm": 0.1},
}


@pytest.mark.parametrize("name", sorted(classes("optimizer")))
def test_masked_weights_stay_0_with_every_optimizer(name: str) -> None:
    mask = (np.random.default_rng(0).random((2, 16)) < 0.5).astype(int).tolist()
    layers = [{**BASE["architecture"][0], "weight_mask": mask}, *BASE["architecture"][1:]]
    optimizer = {"type": name, "weight_decay": 0.1, "accumulate": 1, **OPTIONS.get(name, {})}
    loops = [loop_of(config(architecture=layers, optimizer=optimizer)) for _ in range(2)]
    call_by_call(loops[0]).run()
    loops[1].run()
    for loop in loops:
        w = loop.network.parameters["dense_1.W"]
        np.testing.assert_array_equal(w == 0, np.array(mask) == 0)
        with loop.optimizer.averaged():
            np.testing.assert_array_equal(w == 0, np.array(mask) == 0)
    assert_the_same(*loops)


@pytest.mark.skipif(bool(kernels.missing()), reason="needs kernels in C")
def test_steps_with_a_mask_are_replayed() -> None:
    loop = loop_of(config({"every": 4, "fraction": 0.5}, trainer={"epochs": 12}))
    loop.run()
    assert loop.replay.learned
    assert {stage.name: stage.why for stage in loop.replay.stages if stage.why} == {}
    other = call_by_call(loop_of(config({"every": 4, "fraction": 0.5}, trainer={"epochs": 12})))
    other.run()
    assert_the_same(loop, other)


def test_the_norm_that_clips_is_that_of_the_weights_there_are() -> None:
    layers = [{**BASE["architecture"][0], "weight_mask": [[0], [1]]}, *BASE["architecture"][1:]]
    loop = loop_of(config(architecture=layers))
    loop.train_step(*next(loop.train.epoch(1)))
    assert (loop.network.gradients["dense_1.W"][0] == 0).all()


def test_zeros_of_given_weights_stay() -> None:
    w = np.random.default_rng(0).normal(size=(2, 16))
    w[np.abs(w) < 0.8] = 0
    layers = [{**BASE["architecture"][0], "weight_mask": "nonzero"}, *BASE["architecture"][1:]]
    loop = loop_of(config(architecture=layers, parameters={"dense_1.W": w.tolist()}))
    loop.run()
    np.testing.assert_array_equal(loop.network.parameters["dense_1.W"] == 0, w == 0)


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        ({"type": "dense", "units": 2, "weight_mask": [[1, 0, 1]]}, r"expected a list of shape \(2, 2\)"),
        ({"type": "dense", "units": 2, "weight_mask": [[1, 0.5]]}, "nothing but 0 and 1"),
        ({"type": "dense", "units": 2, "weight_mask": [[1], [1, 0]]}, r"expected a list of shape \(2, 2\)"),
        ({"type": "batch_norm", "weight_mask": [1]}, "has 0 kernels"),
    ],
)
def test_a_mask_that_does_not_fit_is_refused(layer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build.prepare(config(architecture=[layer, BASE["architecture"][2]]))


class Watch(Callback):
    """The weights as each epoch leaves them, before any pruning, and the masks after it."""

    def __init__(self) -> None:
        self.before: list[dict[str, Any]] = []
        self.after: list[dict[str, Any]] = []
        self.rows: list[dict[str, float]] = []

    def epoch(self, loop: Loop, row: dict[str, float]) -> None:
        self.after.append(
            {name: mask.copy() for name, mask in masks(loop).items()}
            | {"weights": loop.network.store.values.copy(), "rate": loop.optimizer.iteration}
        )
        self.rows.append(dict(row))


def watched(pruning: dict[str, Any], **changes: Any) -> tuple[Watch, Loop]:
    watch = Watch()
    loop = loop_of(config(pruning, **changes), watch)

    class Before(Callback):
        def epoch(self, loop: Loop, row: dict[str, float]) -> None:
            watch.before.append({name: w.copy() for name, w in loop.network.parameters.items()})

    loop.callbacks.insert(0, Before())
    loop.run()
    return watch, loop


def test_the_smallest_half_of_what_is_left_goes_in_each_round() -> None:
    watch, _ = watched(PRUNED)
    for epoch, left in ((2, 16), (4, 8), (6, 4)):
        w, mask = watch.before[epoch - 1]["dense_1.W"], watch.after[epoch - 1]["dense_1.W"]
        assert mask.sum() == left
        kept = np.sort(np.abs(w.reshape(-1)))[::-1][:left]
        np.testing.assert_array_equal(np.sort(np.abs(w[mask == 1]))[::-1], kept)
        assert (watch.after[epoch - 1]["dense_1.b"] == 1).all()
    assert [row["sparsity"] for row in watch.rows] == [0, 0, 0.5, 0.5, 0.75, 0.75, 0.875, 0.875]


def test_over_the_whole_network_the_smallest_of_all_go() -> None:
    watch, _ = watched({**PRUNED, "scope": "network", "rounds": 1})
    both = [watch.before[1][name].reshape(-1) for name in ("dense_1.W", "dense_2.W")]
    mask = np.concatenate([watch.after[1][name].reshape(-1) for name in ("dense_1.W", "dense_2.W")])
    sizes = np.abs(np.concatenate(both))
    assert mask.sum() == 32
    assert sizes[mask == 1].min() >= sizes[mask == 0].max()


def test_random_rounds_take_from_what_is_left_in_equal_steps() -> None:
    watch, _ = watched({"every": 2, "rounds": 3, "sparsity": 0.75, "by": "random", "match": "dense_*"})
    counts = [sum(m[name].sum() for name in ("dense_1.W", "dense_1.b")) for m in watch.after[1:6:2]]
    assert counts == [36, 24, 12]  # of 48
    for a, b in zip(watch.after[1:4:2], watch.after[3:6:2], strict=True):
        assert (b["dense_1.W"] <= a["dense_1.W"]).all()


def test_rewinding_brings_the_first_weights_and_rates_back() -> None:
    schedule = {"type": "sgd", "learning_rate": 0.1, "momentum": 0.9, "schedule": "cosine"}
    watch, _ = watched({**PRUNED, "rewind": "initial"}, optimizer=schedule)
    first = build.prepare(config(PRUNED)).network.store.values
    for epoch in (2, 4, 6):
        state = watch.after[epoch - 1]
        same = (state["weights"] == first) | (state["weights"] == 0)
        assert same.all()
        assert state["rate"] == 0
    rates = [row["learning_rate"] for row in watch.rows]
    assert rates[:2] == rates[2:4] == rates[6:8]
    assert rates[0] > rates[1]


def test_the_best_epoch_is_one_after_the_last_round(tmp_path: Path) -> None:
    result = train(config(PRUNED), run_dir=tmp_path / "run")
    assert result["best"]["epoch"] in (7, 8)


class Stop(Callback):
    def __init__(self, step: int) -> None:
        self.at = step

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.at:
            os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize("step", [20, 21, 35])  # 10 steps an epoch: at a round, and on either side of one
def test_a_stopped_run_goes_on_with_its_mask(tmp_path: Path, step: int) -> None:
    cfg = config({**PRUNED, "rewind": "initial"})
    train(cfg, run_dir=tmp_path / "whole")
    with pytest.raises(InterruptedRunError):
        train(config({**PRUNED, "rewind": "initial"}), run_dir=tmp_path / "stopped", callbacks=[Stop(step)])
    resume(RunDirectory(tmp_path / "stopped"))
    assert list(differences(outcome(tmp_path / "whole"), outcome(tmp_path / "stopped"))) == []


def wrong() -> Iterator[tuple[dict[str, Any], dict[str, Any], str]]:
    yield {"every": 2}, {}, "expected either fraction"
    yield {"every": 2, "fraction": 0.5, "sparsity": 0.5}, {}, "expected either fraction"
    yield (
        {"every": 2, "rounds": 4, "fraction": 0.5},
        {},
        r"leave none of 8 epochs after the last; set trainer.epochs: 10",
    )
    yield PRUNED, {"early_stopping": {}}, "early_stopping would end"
    yield {**PRUNED, "match": "conv*"}, {}, "matches no trained parameter"


@pytest.mark.parametrize(("pruning", "trainer", "message"), list(wrong()))
def test_rounds_that_cannot_be_are_refused(pruning: dict[str, Any], trainer: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        loop_of(config(pruning, trainer=trainer))
