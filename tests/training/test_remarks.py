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


SEQUENCES = """
dataset: {{source: files, path: t.csv, text: s, target: y, transforms: [{{type: tokenize, length: 6}}]}}
architecture:
  - {{type: embedding, input_dim: 12, output_dim: 4, mask_zero: true}}
  - {layer}
  - flatten
  - {{type: dense, units: 2, activation: softmax}}
loss: sparse_categorical_crossentropy
trainer: {{epochs: 1, batch_size: 8}}
"""


@pytest.mark.parametrize(
    ("layer", "said"),
    [
        ("layer_norm", ["flatten_1 (flatten): the mask ends here"]),
        ("{type: reshape, shape: [3, 8]}", ["reshape_1 (reshape): the mask ends here"]),
        ("{type: permute, dims: [2, 1]}", ["permute_1 (permute): the mask ends here"]),
        ("{type: lstm, units: 3}", []),
        ("global_max_pool", []),
        ("{type: max_pool1d, pool_size: 3, strides: 2, padding: same}", ["max_pool1d_1 (max_pool1d): with strides"]),
        ("{type: conv1d, filters: 3, kernel_size: 3, strides: 2, padding: same}", ["conv1d_1 (conv1d): with strides"]),
        ("{type: conv1d, filters: 3, kernel_size: 3}", ["flatten_1 (flatten): the mask ends here"]),
    ],
)
def test_the_end_of_a_mask(bp, tmp_path: Path, layer: str, said: list[str]) -> None:
    texts = ["a b c d", "b a", "c", "d e f a b c"] * 4
    (tmp_path / "t.csv").write_text("s,y\n" + "".join(f"{text},{i % 2}\n" for i, text in enumerate(texts)))
    (tmp_path / "c.yaml").write_text(SEQUENCES.format(layer=layer))
    checked = bp("check", "c.yaml", "--json")
    warnings = checked.json["warnings"]
    assert checked.code == 0 and all(any(each in warning for warning in warnings) for each in said), warnings
    assert bool(warnings) is bool(said)
    trained = bp("train", "c.yaml", "--run-dir", "run", "--quiet")
    assert trained.code == 0 and all(each in trained.err for each in said)
