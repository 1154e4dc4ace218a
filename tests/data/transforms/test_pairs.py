"""Pairs of rows for siamese networks: which rows, how often, and that a network learns to tell them apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backprop_cli import build, load, load_config
from backprop_cli.commands.train import train
from backprop_cli.data.transforms.pairs import partners
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.errors import BpError
from backprop_cli.registry import make

SIAMESE: dict[str, Any] = {
    "dataset": {
        "source": "sample",
        "name": "digits",
        "transforms": [{"type": "scale", "by": 0.0625}, {"type": "reshape", "shape": [64]}, "pairs"],
    },
    "architecture": [
        {"type": "select", "at": 0, "inputs": ["input"]},
        {"type": "dense", "units": 32, "activation": "relu", "name": "hidden"},
        {"type": "dense", "units": 6, "name": "code"},
        {"type": "select", "at": 1, "inputs": ["input"]},
        {"shared": "hidden"},
        {"shared": "code", "name": "other"},
        {"type": "distance", "inputs": ["code", "other"]},
    ],
    "loss": "contrastive",
    "optimizer": {"type": "adam", "learning_rate": 0.003},
    "trainer": {"epochs": 12, "batch_size": 50, "metrics": ["accuracy"]},
}


@given(st.lists(st.integers(0, 4), min_size=1, max_size=40), st.integers(0, 5))
def test_partners_are_of_the_kind_that_was_drawn(ids: list[int], seed: int) -> None:
    y = np.array(ids)
    for rng in (None, np.random.default_rng(seed)):
        other = partners(y, rng)
        assert ((other >= 0) & (other < len(y))).all()
        several = np.bincount(y)[y] > 1
        assert (other[several] != np.arange(len(y))[several]).all()
    fixed = partners(y, None)
    for row, partner in enumerate(fixed):
        same = np.flatnonzero(y == y[row])
        if row % 2 == 0 and len(same) > 1:
            assert partner == same[(list(same).index(row) + 1) % len(same)]
        elif row % 2 and len(same) < len(y):
            assert y[partner] != y[row]
        else:
            assert partner == (row + 1) % len(y)


def test_half_of_the_pairs_are_alike_and_partners_are_drawn_evenly() -> None:
    y, rng = np.repeat([0, 1, 2], [10, 20, 30]), np.random.default_rng(0)
    drawn = np.array([partners(y, rng) for _ in range(4000)])
    assert np.mean(y[drawn] == y) == pytest.approx(0.5, abs=0.01)
    for row in (0, 15, 59):
        counts = np.bincount(drawn[:, row], minlength=60)
        alike = (y == y[row]) & (np.arange(60) != row)
        assert counts[row] == 0
        for kind in (alike, y != y[row]):
            expected = 2000 / kind.sum()
            assert np.abs(counts[kind] - expected).max() < 5 * np.sqrt(expected)


def test_distances_are_euclidean_and_have_no_slope_at_0() -> None:
    nodes = [Node("a", make("layer", {"type": "select", "at": 0}), (INPUT,))]
    nodes += [Node("b", make("layer", {"type": "select", "at": 1}), (INPUT,))]
    nodes += [Node("d", make("layer", "distance"), ("a", "b"))]
    net = Network(nodes, (2, 3), make("loss", "mse"), dtype="float64", input_gradient=True)
    x = np.array([[[3.0, 4, 0], [0, 0, 0]], [[1, 1, 1], [1, 1, 1]]])
    y = net.forward(x)
    np.testing.assert_allclose(y[:, 0], [5, 0], atol=1e-5)
    net.loss(y, np.zeros((2, 1)))
    net.backward()
    assert np.isfinite(net.input_gradients).all()
    np.testing.assert_array_equal(net.input_gradients[1], 0)


@pytest.mark.trains
def test_a_siamese_network_tells_digits_apart(tmp_path: Path, bp: Any) -> None:
    result = train(load_config(SIAMESE), run_dir=tmp_path / "run")
    assert result["metrics"]["validation/accuracy"] > 0.85
    network = load(str(tmp_path / "run")).network
    assert sorted(network.parameters) == ["code.W", "code.b", "hidden.W", "hidden.b"]
    commands = ["eval run", "report run -o s.html", "doctor run", "export run --to onnx -o s.onnx"]
    for words in map(str.split, commands):
        done = bp(*words)
        assert done.code == (2 if words[0] == "export" else 0), done.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            ["dataset.transforms=[{type: reshape, shape: [64]}]", "architecture=[{type: dense, units: 1}]"],
            "put the trans",
        ),
        (["dataset={source: synthetic, name: linear, transforms: [pairs]}"], "these targets are none"),
        (["architecture.0.at=2"], "at 2 of 2 parts"),
    ],
)
def test_what_cannot_be_says_so(changes: list[str], message: str) -> None:
    with pytest.raises(BpError, match=message):
        build.prepare(load_config(SIAMESE, changes))
