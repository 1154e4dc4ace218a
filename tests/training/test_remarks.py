"""What `bp check` and `bp train` say before a training begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backprop_cli import build, load_config
from backprop_cli.training.remarks import remarks
from tests.conftest import ROOT

SMALL = ("--set", "dataset.samples=200", "--set", "trainer.epochs=1")


def test_more_batches_to_an_update_than_an_epoch_has(bp, tmp_path: Path) -> None:
    many = (*SMALL, "--set", "optimizer.accumulate=9")
    checked = bp("check", "configs/moons.yaml", *many, "--json")
    (warning,) = checked.json["warnings"]
    assert "optimizer.accumulate: an epoch has 5 batches" in warning and checked.code == 0
    for command in (("check",), ("train", "--run-dir", "run")):
        said = bp(*command, "configs/moons.yaml", *many)
        assert said.code == 0 and "optimizer.accumulate" in said.err
    last = json.loads((tmp_path / "run/metrics.jsonl").read_text())
    assert last["step"] == 5
    assert not bp("check", "configs/moons.yaml", *SMALL, "--set", "optimizer.accumulate=5", "--json").json["warnings"]


@pytest.mark.parametrize("name", ["xor", "moons", "xor_batch_norm", "clip_rnn", "adding_lstm"])
def test_nothing_is_said_of_a_config_that_ships(name: str) -> None:
    assert remarks(build.training(build.prepare(load_config(ROOT / f"configs/{name}.yaml")))[0]) == []
