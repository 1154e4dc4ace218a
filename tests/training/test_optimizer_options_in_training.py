"""The loop and optimizers: state in checkpoints, averaged weights in evaluation, the metric a schedule watches."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from backprop_cli import build, load_config
from backprop_cli.errors import InterruptedRunError
from backprop_cli.training.loop import Callback, Loop
from tests.conftest import ROOT

SMALL = ["dataset.samples=200", "trainer.batch_size=16"]
BUSY = ["optimizer.accumulate=3", "optimizer.ema=0.9", "optimizer.schedule={type: step, every: 2, unit: epoch}"]


def sets(*overrides: str) -> list[str]:
    return [word for each in overrides for word in ("--set", each)]


class StopAfter(Callback):
    """Ends the training after some steps, in the middle of an epoch."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def step(self, loop: Loop, loss: float) -> None:
        if loop.step == self.steps:
            raise InterruptedRunError("enough", 15)


def training(*overrides: str, config: str = "configs/moons.yaml", callbacks: Sequence[Callback] = ()) -> Loop:
    cfg = load_config(ROOT / config, overrides=[*SMALL, *overrides])
    return build.training(build.prepare(cfg), callbacks)[0]


def test_a_run_resumed_between_two_updates_ends_with_the_same_bytes() -> None:
    whole, second = training(*BUSY, "trainer.epochs=5"), training(*BUSY, "trainer.epochs=5")
    first = training(*BUSY, "trainer.epochs=5", callbacks=[StopAfter(24)])
    whole.run()
    with pytest.raises(InterruptedRunError):
        first.run()
    assert first.optimizer.gathered and first.batch
    arrays, values = first.state_dict()
    second.load_state_dict({name: array.copy() for name, array in arrays.items()}, json.loads(json.dumps(values)))
    second.run()
    assert second.network.store.values.tobytes() == whole.network.store.values.tobytes()
    assert second.optimizer.memory["average"].tobytes() == whole.optimizer.memory["average"].tobytes()


@pytest.mark.parametrize("rows", [64, 63, 150, 160])
@pytest.mark.parametrize(("batch", "accumulate"), [(32, 2), (63, 2), (21, 3), (10, 4), (64, 3)])
def test_accumulated_batches_train_as_one_large_batch(rows: int, batch: int, accumulate: int) -> None:
    data = [f"dataset.samples={rows}", "dataset.splits={train: 'train[:100%]'}", "dtype=float64", "trainer.epochs=3"]
    schedule = ["optimizer={type: adam, learning_rate: 0.02, weight_decay: 0.01, schedule: cosine}"]
    small = training(*data, *schedule, f"trainer.batch_size={batch}", f"optimizer.accumulate={accumulate}")
    large = training(*data, *schedule, f"trainer.batch_size={batch * accumulate}")
    small.run()
    large.run()
    assert small.optimizer.iteration == large.optimizer.iteration
    np.testing.assert_allclose(small.network.store.values, large.network.store.values, rtol=1e-9, atol=1e-12)
    assert small.rate == pytest.approx(large.rate)


def test_a_run_made_longer_is_the_run_that_was_long_from_the_beginning() -> None:
    options = ["optimizer.accumulate=4", "trainer.batch_size=16"]
    whole, first, second = (training(*options, f"trainer.epochs={epochs}") for epochs in (5, 2, 5))
    assert whole.train.steps_per_epoch % 4
    whole.run()
    first.run()
    arrays, values = first.state_dict()
    second.load_state_dict({name: array.copy() for name, array in arrays.items()}, json.loads(json.dumps(values)))
    second.run()
    assert second.network.store.values.tobytes() == whole.network.store.values.tobytes()


@pytest.mark.parametrize("checkpoint", ["best", "last"])
def test_evaluation_uses_the_averaged_weights(bp, tmp_path: Path, checkpoint: str) -> None:
    trained = bp(
        "train",
        "configs/moons.yaml",
        "--run-dir",
        "run",
        "--json",
        "--epochs",
        "2",
        *sets(*SMALL, "optimizer.ema=0.99"),
    )
    assert trained.code == 0, trained.err
    best = trained.json["best"]["validation/loss"]
    expected = best if checkpoint == "best" else trained.json["metrics"]["validation/loss"]
    evaluated = bp("eval", "run", "--split", "validation", "--checkpoint", checkpoint, "--json").json
    assert evaluated["metrics"]["loss"] == pytest.approx(expected, rel=1e-6)
    arrays = load_file(tmp_path / "run/checkpoints/last.safetensors")
    assert not np.array_equal(arrays["optimizer/average"][:32], arrays["dense_1.W"].reshape(-1))


def test_the_rate_falls_on_a_plateau(bp, tmp_path: Path) -> None:
    options = "type: reduce_on_plateau, monitor: train/accuracy, min_delta: 1.0, patience: 1, factor: 0.5"
    schedule = f"optimizer.schedule={{{options}}}"
    trained = bp("train", "configs/moons.yaml", "--run-dir", "run", "--epochs", "6", *sets(*SMALL, schedule))
    assert trained.code == 0, trained.err
    rows = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    assert [row["learning_rate"] for row in rows] == pytest.approx([0.01, 0.01, 0.01, 0.005, 0.005, 0.0025])


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.groups=[{match: '*.bias', weight_decay: 0}]", "'*.bias' matches no trained parameter"),
        ("optimizer.groups=[{match: '*.b', weight_deccay: 0}]", "did you mean 'weight_decay'"),
        ("optimizer.schedule={type: reduce_on_plateau, monitor: validation/los}", "validation/loss"),
        ("optimizer.schedule={type: piecewise, boundaries: [1], values: [1]}", "one value more than boundaries"),
        ("architecture.0.constraint={type: max_norm, max_value: -1}", "max_value"),
    ],
)
def test_mistakes_are_named(bp, override: str, message: str) -> None:
    refused = bp("train", "configs/moons.yaml", "--epochs", "1", *sets(*SMALL, override))
    assert refused.code == 2
    assert message in refused.err
    assert "Traceback" not in refused.err


def test_groups_and_constraints_from_yaml(bp, tmp_path: Path) -> None:
    trained = bp(
        *("train", "configs/moons.yaml", "--run-dir", "run", "--epochs", "2"),
        *sets(*SMALL, "optimizer.groups=[{match: '*.b', learning_rate: 0}]", "architecture.0.constraint=non_negative"),
    )
    assert trained.code == 0, trained.err
    arrays = load_file(tmp_path / "run/checkpoints/last.safetensors")
    assert not arrays["dense_1.b"].any()
    assert arrays["dense_1.W"].min() == 0.0
    assert arrays["dense_2.W"].min() < 0


def test_compiled_kernels_learn_the_same(bp) -> None:
    losses = []
    for which in ("numpy", "compiled"):
        trained = bp(
            "train", "configs/moons.yaml", "--epochs", "3", "--json", *sets(*SMALL, f"trainer.kernels={which}")
        )
        assert trained.code == 0, trained.err
        losses.append(trained.json["metrics"]["validation/loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
