"""Numbers of a config that no machine can hold: one line, no traceback, at once."""

from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import registry
from backprop_cli.data.synthetic import BYTES
from tests.conftest import ROOT

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
        *((f"architecture.0.units={size}", "c.yaml:4:3: architecture.0: dense_1: has parameters") for size in HUGE),
        ("dataset.samples=1000000000", "dataset.samples: 1000000000 needs 67.1 GiB of memory"),
        ("dataset={source: synthetic, name: t_c, size: 3000}", "dataset.size: 3000 needs"),
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


@pytest.mark.skipif(sys.platform != "linux", reason="the address space is limited, which others do not heed")
@pytest.mark.process
def test_no_option_takes_memory_before_it_is_refused() -> None:
    """Layers, transforms and problems with huge numbers for their options, in 4 GiB of address space."""
    command = [sys.executable, "-m", "tests.untrusted.large"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert not told["wrong"], told["wrong"][:5]
    assert told["refused"] > 200 and told["megabytes"] < 512


#: options with which a problem is large enough for its arrays to count, and small enough to be drawn at once
SIZES = {
    "samples": 2000,
    "points": 900,
    "arms": 5,
    "length": 30,
    "delay": 20,
    "features": 30,
    "times": 50,
    "targets": 20,
}
SIZES |= {"rows": 300, "size": 12, "modulus": 99, "bits": 12, "symbols": 9}


@pytest.mark.parametrize("name", [name for name in registry.names("synthetic") if name != "points"])
def test_the_numbers_of_a_problem_are_those_that_it_holds(name: str) -> None:
    """And making them takes no more memory than is reckoned with."""
    cls = registry.get("synthetic", name)
    problem = cls(**{key: value for key, value in SIZES.items() if key in registry.options(cls)})
    problem.draw(0)
    tracemalloc.start()
    x, y = problem.draw(0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    if problem.numbers():
        assert x.size + y.size <= problem.numbers() <= (10 if name.startswith("mnist") else 1.01) * (x.size + y.size)
        assert peak <= BYTES * problem.numbers() + (1 << 16)
    else:
        assert not {"samples", "length", "features"} & registry.options(cls).keys()
        assert peak < 1 << 20


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
