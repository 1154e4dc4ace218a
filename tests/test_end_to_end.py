"""The first five minutes: the shipped configs, trained by the real command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from safetensors.numpy import load_file

from backprop_cli import build, load_config
from tests.conftest import ROOT


def test_xor_is_learned_from_seed_0(bp, tmp_path: Path) -> None:
    result = bp("train", "configs/xor.yaml", "--json", "--quiet")
    assert result.code == 0, result.err
    assert result.json["metrics"]["train/loss"] < 0.05
    assert result.json["steps"] == 10_000
    assert bp("eval", "latest", "--json").json["metrics"]["accuracy"] == 1.0


def test_folders_may_be_links(bp, tmp_path: Path) -> None:
    """Runs on another disk, say."""
    for name in ("runs", "cache", "pictures"):
        (tmp_path / f"disk/{name}").mkdir(parents=True)
        (tmp_path / name).symlink_to(f"disk/{name}")
    short = ["--quiet", "--epochs", "3"]
    for command in (
        ["train", "configs/mnist.yaml", *short, "--set", "dataset={source: sample, name: mnist5k}"],
        ["train", "configs/xor.yaml", *short, "--run-dir", "pictures/xor"],
        ["train", "--resume", "pictures/xor", *short[:1], "--epochs", "4"],
        ["plot", "pictures/xor", "-o", "pictures/loss.png"],
        ["eval", "latest"],
        ["sweep", "configs/xor.yaml", "--set", "seed=0,1", "--set", "trainer.epochs=3"],
        ["runs", "rm", "latest"],
    ):
        done = bp(*command, BP_CACHE=str(tmp_path / "cache"))
        assert done.code == 0, done.err


class TestMazur:
    """The published worked example, number for number."""

    def test_gradients_and_errors(self) -> None:
        cfg = load_config(ROOT / "configs/mazur.yaml")
        prepared = build.prepare(cfg)
        net = prepared.network
        x, y = next(iter(prepared.batches("train").epoch(1)))
        before = net.loss(net.forward(x, training=True), y)
        assert before == pytest.approx(0.298371109, abs=5e-10)
        net.backward()
        assert net.gradients["dense_2.W"][0, 0] == pytest.approx(0.082167041, abs=5e-10)  # w5
        assert net.gradients["dense_1.W"][0, 0] == pytest.approx(0.000438568, abs=5e-10)  # w1

    @pytest.mark.parametrize(
        ("overrides", "after"),
        [([], 0.291027773694), (["~architecture.0.frozen", "~architecture.1.frozen"], 0.280471446791)],
    )
    def test_one_step(self, bp, overrides: list[str], after: float) -> None:
        flags = [word for each in overrides for word in ("--set", each)]
        result = bp("train", "configs/mazur.yaml", "--json", "--run-dir", "run", *flags)
        assert result.code == 0, result.err
        evaluated = bp("eval", "run", "--json").json
        assert evaluated["metrics"]["loss"] == pytest.approx(after, abs=5e-13)

    def test_ten_thousand_steps(self, bp) -> None:
        result = bp("train", "configs/mazur.yaml", "--json", "--quiet", "--epochs", "10000")
        assert f"{result.json['metrics']['train/loss']:.10f}" == "0.0000351085"

    def test_new_weights(self, bp, tmp_path: Path) -> None:
        bp("train", "configs/mazur.yaml", "--run-dir", "run")
        weights = load_file(tmp_path / "run/checkpoints/last.safetensors")
        assert weights["dense_2.W"][0, 0] == pytest.approx(0.35891648, abs=5e-9)  # w5
        assert weights["dense_1.W"][0, 0] == pytest.approx(0.149780716, abs=5e-10)  # w1
        assert weights["dense_1.b"].tolist() == [0.35, 0.35]


def test_same_config_and_seed_twice_gives_the_same_bytes(bp, tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert bp("train", "configs/moons.yaml", "--epochs", "3", "--run-dir", name).code == 0
    a, b = (load_file(tmp_path / name / "checkpoints/last.safetensors") for name in ("a", "b"))
    assert all(a[name].tobytes() == b[name].tobytes() for name in a)
    repeated = bp("train", "a/config.yaml", "--run-dir", "c")
    assert repeated.code == 0, repeated.err
    c = load_file(tmp_path / "c/checkpoints/last.safetensors")
    assert all(a[name].tobytes() == c[name].tobytes() for name in a if "." in name)


def test_mnist_without_a_network_uses_the_sample_and_says_so(bp, tmp_path: Path) -> None:
    result = bp("train", "configs/mnist.yaml", "--json", "--run-dir", "run", unshared=True)
    assert result.code == 0, result.err
    assert "WARNING" in result.err
    assert "mnist5k" in result.err
    about = json.loads((tmp_path / "run/run.json").read_text())
    assert about["dataset"]["source"] == "sample"
    assert about["dataset"]["fallback"]
    measured = bp("eval", "run", "--json").json
    assert measured["metrics"]["accuracy"] >= 0.895
    matrix = np.array(measured["confusion_matrix"])
    assert matrix.sum() == measured["samples"] > 256  # more than one batch
    assert matrix.trace() / matrix.sum() == pytest.approx(measured["metrics"]["accuracy"])


def test_a_run_directory_holds_what_the_contract_says(bp, tmp_path: Path) -> None:
    printed = bp("train", "configs/moons.yaml", "--epochs", "2", "--json").json
    run = Path(tmp_path / printed["run_dir"])
    assert {"run_id", "run_dir", "status", "epochs", "steps", "seconds", "metrics", "best"} <= set(printed)
    about = json.loads((run / "run.json").read_text())
    wanted = [
        "id",
        "status",
        "started",
        "ended",
        "command",
        "overrides",
        "versions",
        "host",
        "seed",
        "dataset",
        "parameters",
        "resumed_from",
    ]
    assert set(wanted) <= set(about)
    assert about["status"] == "completed"
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in rows] == [1, 2]
    assert rows[-1]["step"] == printed["steps"]
    assert {"time", "learning_rate", "train/loss", "train/accuracy", "validation/loss"} <= set(rows[0])
    assert yaml.safe_load((run / "config.yaml").read_text())["trainer"]["epochs"] == 2
    assert {path.name for path in (run / "checkpoints").iterdir()} >= {"last.safetensors", "best.safetensors"}


def test_the_python_api(tmp_path: Path) -> None:
    cfg = load_config(ROOT / "configs/xor.yaml", overrides=["seed=3"])
    net = build.network(cfg)
    x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], np.float32)
    target = np.array([[0], [1], [1], [0]], np.float32)
    z = net.forward(x, training=True)
    loss = net.loss(z, target)
    net.backward()
    assert z.shape == (4, 1)
    assert 0 < loss < 2
    assert set(net.gradients) == set(net.parameters) == {"dense_1.W", "dense_1.b", "dense_2.W", "dense_2.b"}
    net.load_parameters({"dense_1.b": [1, 2, 3, 4]})
    assert net.parameters["dense_1.b"].tolist() == [1, 2, 3, 4]
