"""`bp profile`: every part of a step is there, and together they are the step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop_cli.commands.profile import profile_config
from backprop_cli.engine import kernels
from tests.conftest import ROOT


@pytest.mark.large
@pytest.mark.parametrize("kernels", ["numpy", "compiled"])
def test_parts_add_up_to_no_more_than_a_step(kernels: str) -> None:
    result = profile_config(ROOT / "configs/moons.yaml", [f"trainer.kernels={kernels}"])
    parts = [layer["forward_us"] + layer["backward_us"] for layer in result["layers"]]
    assert all(part > 0 for part in parts)
    assert sum(parts) + sum(result["others_us"].values()) == pytest.approx(result["step_us"], rel=0.01)
    assert sum(layer["share"] for layer in result["layers"]) < 1
    assert result["kernels"] == kernels
    assert all(0 < layer["gflops"] <= result["peak_gflops"] or not layer["flops"] for layer in result["layers"])
    assert len(result["costs"]) == 3


@pytest.mark.large
def test_shares_name_the_layer_that_costs_most(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "data.npz", x=rng.normal(size=(256, 64)).astype(np.float32), y=rng.integers(0, 2, 256))
    (tmp_path / "wide.yaml").write_text(
        "dataset: {source: files, path: data.npz}\n"
        "architecture: [{type: dense, units: 2048, name: wide}, {type: dense, units: 2, activation: softmax}]\n"
        "loss: crossentropy\ntrainer: {batch_size: 64}\n"
    )
    result = profile_config(tmp_path / "wide.yaml", [])
    wide, last = result["layers"]
    assert wide["share"] > last["share"]
    assert wide["flops"] == 2 * 64 * 64 * 2048
    assert wide["bytes"] >= 4 * (2 * 64 * 2048 + 2 * 65 * 2048)  # y and dy, parameters and their gradients
    seconds = (wide["forward_us"] + wide["backward_us"]) / 1e6
    assert wide["flops"] <= wide["gflops"] * 1e9 * seconds <= 3.01 * wide["flops"]  # forward, dW and, where asked, dx
    assert result["peak_gflops"] > 0
    assert any("wide" in line for line in result["costs"])


def test_the_command_prints_a_table_or_one_document(bp) -> None:
    shown = bp("profile", "configs/xor.yaml")
    assert shown.code == 0, shown.err
    assert "dense_2" in shown.out
    assert "(update)" in shown.out
    assert "% of a step" in shown.out
    document = bp("profile", "configs/xor.yaml", "--json").json
    assert {"step_us", "layers", "others_us", "peak_gflops", "costs", "bytes"} <= set(document)


def test_a_wrong_config_is_told_as_everywhere(bp, tmp_path: Path) -> None:
    (tmp_path / "wrong.yaml").write_text("architecture: []\n")
    assert bp("profile", "wrong.yaml").code == 2


def test_no_layer_is_faster_than_the_fastest_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large product that was measured while the machine was busy made shares of 118 %."""
    monkeypatch.setattr("backprop_cli.commands.profile.peak_flops", lambda network: 1.0)
    result = profile_config(ROOT / "configs/moons.yaml", [])
    assert result["peak_gflops"] == max(layer["gflops"] for layer in result["layers"])
    assert all(
        float(line.rpartition("reaches ")[2].split(" %")[0]) <= 100 for line in result["costs"] if "reaches" in line
    )


def test_it_says_what_is_replayed_and_why_not(bp, tmp_path: Path) -> None:
    if kernels.missing():
        pytest.skip("needs kernels in C")
    found = bp("profile", "configs/moons.yaml", "--json").json
    assert found["replay"]["by_python"] == [] and found["replay"]["off"] is None
    assert 0 < found["replay"]["step_us"] < found["step_us"]
    shown = bp("profile", "configs/moons.yaml", "--set", "trainer.metrics=[auc]").out
    assert "auc is made by Python: " in shown
    shown = bp("profile", "configs/moons.yaml", "--set", "trainer.kernels=numpy").out
    assert "the kernels are not the compiled ones" in shown
