"""`trainer.kernels`: what auto chooses, that it is written down, and that going on keeps to it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from backprop_cli import build, load_config
from backprop_cli.engine.kernels.compiled import set_threads
from backprop_cli.training.threads import limited
from tests.conftest import ROOT

TINY = ["--epochs", "2", "--set", "dataset.samples=60"]


@pytest.mark.parametrize(
    ("asked", "used"), [("auto", "compiled"), ("numpy", "numpy"), ("compiled", "compiled"), ("numba", "compiled")]
)
def test_the_run_says_what_it_used_and_goes_on_with_it(bp, tmp_path: Path, asked: str, used: str) -> None:
    done = bp("train", "configs/moons.yaml", "--run-dir", "run", *TINY, "--set", f"trainer.kernels={asked}")
    assert done.code == 0, done.err
    assert json.loads((tmp_path / "run/run.json").read_text())["kernels"] == used
    assert yaml.safe_load((tmp_path / "run/config.yaml").read_text())["trainer"]["kernels"] == used
    longer = bp("train", "--resume", "run", "--epochs", "3")
    assert longer.code == 0, longer.err
    assert "kernels" not in longer.err


def test_both_kinds_of_kernels_learn_the_same(bp, tmp_path: Path) -> None:
    for which in ("numpy", "compiled"):
        assert (
            bp("train", "configs/moons.yaml", "--run-dir", which, *TINY, "--set", f"trainer.kernels={which}").code == 0
        )
    a, b = (load_file(tmp_path / which / "checkpoints/last.safetensors") for which in ("numpy", "compiled"))
    for name in (name for name in a if name.startswith("dense")):
        np.testing.assert_allclose(a[name], b[name], rtol=1e-3, atol=1e-4)


def test_a_run_with_compiled_kernels_resumes_to_the_same_bits(bp, tmp_path: Path) -> None:
    flags = [*TINY[2:], "--set", "trainer.kernels=compiled"]
    assert bp("train", "configs/moons.yaml", "--run-dir", "whole", "--epochs", "4", *flags).code == 0
    assert bp("train", "configs/moons.yaml", "--run-dir", "parts", "--epochs", "2", *flags).code == 0
    assert bp("train", "--resume", "parts", "--epochs", "4").code == 0
    a, b = (load_file(tmp_path / name / "checkpoints/last.safetensors") for name in ("whole", "parts"))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a if name.startswith("dense"))


class TestWithoutALibrary:
    """As where bp was installed without a C compiler."""

    @pytest.fixture
    def without(self, bp, tmp_path: Path):
        return partial(bp, BP_KERNELS=str(tmp_path / "none.so"))

    def test_version_says_so(self, without) -> None:
        done = without("--version")
        assert done.code == 0
        assert done.out.startswith("bp ")
        assert "no compiled kernels" in done.err
        assert "C compiler" in done.err

    def test_auto_takes_those_of_numpy_and_says_nothing_of_a_short_training(self, without, tmp_path: Path) -> None:
        done = without("train", "configs/moons.yaml", "--run-dir", "run", *TINY)
        assert done.code == 0, done.err
        assert json.loads((tmp_path / "run/run.json").read_text())["kernels"] == "numpy"
        assert "compiler" not in done.err

    def test_a_long_training_is_told_what_it_misses(self, tmp_path: Path) -> None:
        code = (
            "import sys; from backprop_cli import build, load_config\n"
            "from backprop_cli.training.kernels import advice\n"
            "network = build.network(load_config(sys.argv[1]))\n"
            "print(advice(network, 32, 1000)); print(advice(network, 32, 10**6))\n"
        )
        done = subprocess.run(
            [sys.executable, "-c", code, ROOT / "configs/moons.yaml"],
            env=os.environ | {"BP_KERNELS": str(tmp_path / "none.so")},
            capture_output=True,
            text=True,
            check=True,
        )
        short, long = done.stdout.splitlines()
        assert short == "None"
        assert "minutes" in long
        assert "install a C compiler" in long

    def test_a_run_with_compiled_kernels_is_read_but_not_gone_on_with(self, bp, without, tmp_path: Path) -> None:
        flags = [*TINY, "--set", "trainer.kernels=compiled"]
        assert bp("train", "configs/moons.yaml", "--run-dir", "run", *flags).code == 0
        evaluated = without("eval", "run", "--json")
        assert evaluated.code == 0, evaluated.err
        resumed = without("train", "--resume", "run", "--epochs", "3")
        assert resumed.code == 2
        assert "trainer.kernels: no compiled kernels here" in resumed.err
        assert "kernels: numpy" in resumed.err


def test_kernels_made_from_other_sources_are_not_used_and_said(tmp_path: Path) -> None:
    """As after an update of an editable installation, before it is installed again."""
    shutil.copytree(ROOT / "backprop_cli", tmp_path / "backprop_cli", ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "backprop_cli/engine/kernels/compiled/src/pool.c").open("a") as source:
        source.write("/* newer */\n")
    code = "from backprop_cli.engine.kernels import compiled; print(compiled.why_not())"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert "made from other sources" in done.stdout
    assert str(tmp_path / "backprop_cli/engine/kernels/compiled/build.py") in done.stdout


WIDE: dict[str, tuple[list[Any], tuple[int, ...]]] = {
    "mlp": (["flatten", {"type": "dense", "units": 256, "activation": "relu"}], (28, 28, 1)),
    "cnn": (
        [
            {"type": "conv2d", "filters": 8, "kernel_size": 3, "padding": "same", "activation": "relu"},
            {"type": "max_pool2d", "pool_size": 3, "strides": 2},
            {"type": "conv2d", "filters": 8, "kernel_size": 3, "groups": 2, "activation": "tanh"},
            "avg_pool2d",
            "flatten",
        ],
        (20, 20, 2),
    ),
    "lstm": ([{"type": "lstm", "units": 64, "return_sequences": True}, {"type": "lstm", "units": 64}], (10, 30)),
}


@pytest.mark.parametrize("name", sorted(WIDE))
def test_how_many_threads_there_are_changes_no_bit(tmp_path: Path, name: str) -> None:
    layers, shape = WIDE[name]
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((300, *shape)).astype(np.float32), rng.integers(0, 10, 300)
    np.savez(tmp_path / "data.npz", x_train=x, y_train=y)
    config = {
        "dataset": {"source": "files", "path": "data.npz", "splits": {"train": "train"}},
        "architecture": [*layers, {"type": "dense", "units": 10, "activation": "softmax"}],
        "loss": "sparse_categorical_crossentropy",
        "trainer": {"batch_size": 100, "kernels": "compiled", "epochs": 2},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    weights = []
    for threads in (1, 4, 3, 1):
        loop, _ = build.training(build.prepare(load_config(tmp_path / "config.yaml")))
        loop.callbacks.clear()
        with limited(loop.network, 100):
            set_threads(threads)
            loop.run()
        weights.append(loop.network.store.values.tobytes())
    assert len(set(weights)) == 1
