"""Schedules: sequences as PyTorch computes them, warm-up, epochs, and what cannot be a function of the step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli.engine.metrics.base import larger_is_better
from backprop_cli.errors import BuildError
from backprop_cli.registry import classes, make

REFERENCE = np.load(Path(__file__).parents[2] / "reference" / "optimizers.npz")
SEQUENCES = [key for key in REFERENCE if key.startswith("schedule ")]
PLATEAUS = [key for key in REFERENCE if key.startswith("plateau ")]
REQUIRED: dict[str, dict[str, Any]] = {
    "step": {"every": 3},
    "multi_step": {"milestones": [3, 5]},
    "exponential": {"gamma": 0.9},
    "cosine_restarts": {"period": 4, "growth": 1.5, "decay": 0.5},
    "cyclic": {"rise": 3},
    "piecewise": {"boundaries": [3], "values": [1.0, 0.5]},
}


def sequence(options: Any, total: int, epoch: float = 1) -> list[float]:
    schedule = make("schedule", options)
    schedule.bind(total, epoch)
    return [schedule.scale(step) for step in range(total)]


@pytest.mark.parametrize("key", SEQUENCES)
def test_sequences_are_those_of_pytorch(key: str) -> None:
    expected = REFERENCE[key]
    found = sequence(json.loads(key.removeprefix("schedule ")), len(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("key", PLATEAUS)
def test_plateaus_are_those_of_pytorch(key: str) -> None:
    schedule = make("schedule", json.loads(key.removeprefix("plateau ")))
    schedule.bind(100)
    found = []
    for epoch, value in enumerate(REFERENCE["values"]):
        if epoch == 7:
            state = json.loads(json.dumps(schedule.state_dict()))
            schedule = make("schedule", json.loads(key.removeprefix("plateau ")))
            schedule.bind(100)
            schedule.load_state_dict(state)
        schedule.observe(float(value))
        found.append(schedule.scale(epoch))
    np.testing.assert_allclose(found, REFERENCE[key], rtol=1e-12)
    assert len(set(found)) > 1


def test_a_plateau_of_nan_is_no_improvement() -> None:
    schedule = make("schedule", {"type": "reduce_on_plateau", "patience": 1})
    schedule.bind(100)
    for value in (float("nan"), float("inf")):
        schedule.observe(value)
    assert schedule.scale(0) == 0.1
    assert json.loads(json.dumps(schedule.state_dict(), allow_nan=False))["best"] is None


def test_plateau_knows_which_way_is_better() -> None:
    def rising(monitor: str, mode: str = "auto") -> bool:
        schedule = make("schedule", {"type": "reduce_on_plateau", "monitor": monitor, "mode": mode})
        assert schedule.watches == monitor
        schedule.hear(larger_is_better(monitor, metrics))
        return schedule.rising

    metrics = [make("metric", name) for name in classes("metric") if name != "of_output"]
    metrics += [make("metric", {"type": "f1", "average": "macro"}), make("metric", {"type": "top_k", "k": 2})]
    for metric in metrics:
        assert rising(f"validation/{metric.key}") is metric.maximize
        assert rising(f"train/{metric.key}", "max")
        assert not rising(metric.key, "min")
    assert not rising("validation/loss")


@pytest.mark.large
@pytest.mark.parametrize("name", sorted(classes("schedule")))
@given(warmup=st.integers(0, 30), total=st.integers(1, 60), epoch=st.integers(1, 7), by_epoch=st.booleans())
def test_every_schedule_is_finite_everywhere(name: str, warmup: int, total: int, epoch: int, by_epoch: bool) -> None:
    options = {"type": name, **REQUIRED.get(name, {}), "warmup": warmup, "unit": "epoch" if by_epoch else "step"}
    schedule = make("schedule", options)
    schedule.bind(total, epoch)
    scales = [schedule.scale(step) for step in range(total + 5)]
    assert all(0 <= scale <= 1 + 1e-12 for scale in scales)
    rise = warmup * (epoch if by_epoch else 1)
    assert scales[:rise] == [(step + 1) / rise for step in range(rise)][: total + 5]
    if by_epoch:  # constant within an epoch
        for start in range(rise, total + 5, epoch):
            assert len(set(scales[start : start + epoch])) <= 1


def test_the_transformers_schedule() -> None:
    t = np.arange(1, 51)
    expected = np.minimum(t / 10, np.sqrt(10 / t))
    np.testing.assert_allclose(sequence({"type": "noam", "warmup": 10}, 50), expected, rtol=1e-12)


def test_keras_staircase_and_decaying_restarts() -> None:
    assert sequence({"type": "exponential_decay", "gamma": 0.5, "every": 4, "staircase": True}, 12)[
        3:9
    ] == pytest.approx([1, 0.5, 0.5, 0.5, 0.5, 0.25])
    found = sequence({"type": "cosine_decay_restarts", "period": 5, "growth": 2.0, "decay": 0.5}, 36)
    assert [found[0], found[5], found[15], found[35]] == pytest.approx([1, 0.5, 0.25, 0.125])


@pytest.mark.parametrize("options", [{"boundaries": [5], "values": [1.0]}, {"boundaries": [5, 5], "values": [1, 1, 1]}])
def test_piecewise_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(BuildError, match="boundaries"):
        make("schedule", {"type": "piecewise", **options})


def test_pytorch_has_been_asked_about_every_schedule_it_has() -> None:
    asked = {json.loads(key.partition(" ")[2])["type"] for key in SEQUENCES + PLATEAUS}
    assert set(classes("schedule")) - asked == {
        *("inverse_sqrt", "cosine_log", "range_test"),  # which it has not
        "cyclic",  # compared with its formula below
    }


def cyclic_of_pytorch(step: int, low: float, up: int, down: int, mode: str, gamma: float) -> float:
    """CyclicLR.get_lr with max_lr = 1 and base_lr = low, as torch/optim/lr_scheduler.py has it."""
    total, ratio = up + down, up / (up + down)
    cycle = int(1 + step / total)
    x = 1.0 + step / total - cycle
    height = (1 - low) * (x / ratio if x <= ratio else (x - 1) / (ratio - 1))
    if mode == "exp_range":
        return low + height * gamma**step
    return low + height * (1.0 if mode == "triangular" else 1 / 2.0 ** (cycle - 1))


@pytest.mark.parametrize("mode", ["triangular", "triangular2", "exp_range"])
@pytest.mark.parametrize(("rise", "fall"), [(3, None), (4, 7), (1, 1), (5, 2)])
def test_cycles_are_those_of_pytorch(mode: str, rise: int, fall: int | None) -> None:
    got = sequence({"type": "cyclic", "low": 0.2, "rise": rise, "fall": fall, "mode": mode, "gamma": 0.97}, 40)
    expected = [cyclic_of_pytorch(step, 0.2, rise, fall or rise, mode, 0.97) for step in range(40)]
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_a_range_test_rises_by_one_factor_or_one_amount() -> None:
    rates = np.array(sequence({"type": "range_test", "low": 1e-4}, 50))
    np.testing.assert_allclose(rates[[0, -1]], [1e-4, 1])
    np.testing.assert_allclose(rates[1:] / rates[:-1], 1e-4 ** (-1 / 49))
    rates = np.array(sequence({"type": "range_test", "low": 0.1, "curve": "linear", "steps": 11}, 20))
    np.testing.assert_allclose(rates[:11], np.linspace(0.1, 1, 11))
    assert (rates[11:] == 1).all()
