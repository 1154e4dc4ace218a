"""Numbers of a config that no machine can hold: one line, no traceback, at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CONFIG = """
dataset: {source: synthetic, name: moons, samples: 40}
architecture:
- {type: dense, units: 4, kernel_initializer: {type: he_normal, negative_slope: 0.0}}
- {type: dense, units: 2, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {type: sgd, learning_rate: 0.1, schedule: {type: exponential, gamma: 0.5, every: 1}}
trainer: {epochs: 2}
"""
HUGE = (10**9 * 10**9, 10**30)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        *((f"architecture.0.units={size}", "out of memory: Unable to allocate") for size in HUGE),
        ("architecture.0.kernel_initializer.negative_slope=1e300", "a number is too large or too small"),
        ("architecture.0.kernel_initializer={type: uniform, low: 1, high: 0}", "low is 1, above high, which is 0"),
        ("dataset={source: synthetic, name: spirals, arms: 1000000000}", "expected a whole number >= 2 and <= 100000"),
        (f"dataset={{source: synthetic, name: adding, length: 9, samples: {10**20}}}", "<= 1000000000"),
    ],
)
def test_check_says_it_in_one_line(bp: Callable[..., Any], tmp_path: Path, setting: str, words: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    done = bp("check", "c.yaml", "--set", setting)
    assert done.code in (1, 2) and words in done.err, done
    assert done.err.count("\n") == 1


@pytest.mark.parametrize(("name", "classes"), [("cs231n_spiral", 3), ("mnist1d", 10)])
def test_a_seed_of_any_size_is_one(bp: Callable[..., Any], tmp_path: Path, name: str, classes: int) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    settings = (f"dataset={{source: synthetic, name: {name}}}", "seed=10000000000", f"architecture.1.units={classes}")
    done = bp("check", "c.yaml", *(word for setting in settings for word in ("--set", setting)))
    assert done.code == 0, done.err


def test_training_says_it_in_one_line(bp: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    done = bp("train", "c.yaml", "--run-dir", "run", "-q", "--set", "optimizer.schedule.gamma=1e300")
    assert done.code == 1 and "Traceback" not in done.err and done.err.count("\n") == 1, done
