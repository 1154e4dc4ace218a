"""What `bp check` and `bp train` say before a training begins."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.training.loop import Loop
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


NORMALISED = """
dataset: {source: synthetic, name: moons, samples: 33, splits: {train: "train[:100%]"}}
architecture: [{type: dense, units: 8}, batch_norm, relu, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
trainer: {epochs: 2, batch_size: 32, shuffle: false}
dtype: float64
"""


@pytest.mark.parametrize("command", ["check", "train", "doctor", "profile"])
def test_batches_of_one_row_have_no_statistics(bp, tmp_path: Path, command: str) -> None:
    (tmp_path / "b.yaml").write_text(NORMALISED.replace("batch_size: 32", "batch_size: 1"))
    refused = bp(command, "b.yaml")
    assert refused.code == 2 and "Traceback" not in refused.err
    assert "b.yaml:5" in refused.err and "batch_norm_1 (batch_norm) takes statistics of a batch" in refused.err


@pytest.mark.parametrize(
    "change",
    [
        ("batch_norm", "layer_norm"),
        ("batch_norm", "{type: batch_norm, frozen: true}"),
        ("[{type: dense, units: 8}, batch_norm", "[{type: reshape, shape: [2, 1]}, batch_norm, flatten"),
    ],
    ids=["rows", "frozen", "places"],
)
def test_batches_of_one_row_do_where_there_is_more_to_measure(tmp_path: Path, change: tuple[str, str]) -> None:
    (tmp_path / "b.yaml").write_text(NORMALISED.replace("batch_size: 32", "batch_size: 1").replace(*change))
    assert remarks(build.training(build.prepare(load_config(tmp_path / "b.yaml")))[0]) == []


def test_a_last_batch_of_one_row_is_said_and_leaves_the_running_statistics(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(NORMALISED)

    def trained(*overrides: str) -> tuple[Loop, list[str]]:
        loop, _ = build.training(build.prepare(load_config(tmp_path / "b.yaml", list(overrides))))
        said = remarks(loop)
        loop.run()
        return loop, said

    slow = ["optimizer={type: sgd, learning_rate: 0}", "trainer.epochs=200"]
    whole, said = trained(*slow)
    assert len(said) == 1 and "the last batch of each epoch has 1 row" in said[0] and "batch_norm_1" in said[0]
    without, said = trained(*slow, "trainer.drop_last=true")
    assert said == []
    for name, state in without.network.states.items():
        np.testing.assert_array_equal(whole.network.states[name], state)
    x = next(iter(whole.train.epoch(1)))[0]
    z = x @ whole.network.parameters["dense_1.W"] + whole.network.parameters["dense_1.b"]
    np.testing.assert_allclose(whole.network.states["batch_norm_1.running_variance"], z.var(axis=0, ddof=1), rtol=1e-6)


def test_the_row_of_a_batch_of_one_is_learnt_from(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(NORMALISED)
    network = build.prepare(load_config(tmp_path / "b.yaml")).network
    z = network.forward(np.ones((1, 2)), training=True)
    network.loss(z, np.array([1]))
    network.backward()
    assert np.abs(network.gradients["dense_1.W"]).max() > 0


@pytest.mark.parametrize("layer", ["layer_norm", "rms_norm", "{type: group_norm, groups: 2}"])
def test_normalising_one_number_is_refused(bp, tmp_path: Path, layer: str) -> None:
    units = 2 if "group" in layer else 1
    text = NORMALISED.replace("units: 8", f"units: {units}").replace("batch_norm", layer)
    (tmp_path / "b.yaml").write_text(text)
    refused = bp("check", "b.yaml")
    assert refused.code == 2 and "by itself" in refused.err and "b.yaml:3" in refused.err


@pytest.mark.parametrize(
    ("layers", "why"),
    [
        ("[{type: dense, units: 2, activation: softmax, frozen: true}]", "all its layers are frozen"),
        ("[softmax]", "none"),
    ],
)
def test_a_network_without_anything_to_train_is_said(tmp_path: Path, layers: str, why: str) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(f"dataset: {{source: synthetic, name: moons}}\narchitecture: {layers}\nloss: cross_entropy\n")
    (said,) = remarks(build.training(build.prepare(load_config(path)))[0])
    assert "no parameters to train" in said and why in said
