"""The Python API as notebooks use it: nothing that one call returned changes under the next."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.engine.graph import Network

CONFIG = """
dtype: float64
dataset: {source: synthetic, name: moons, samples: 50}
architecture:
  - {type: dense, units: 8, activation: tanh}
  - {type: dropout, rate: 0.5}
  - {type: dense, units: 2, activation: softmax}
loss: sparse_categorical_crossentropy
"""


@pytest.fixture
def network(tmp_path: Path) -> Network:
    (tmp_path / "c.yaml").write_text(CONFIG)
    return build.network(load_config(tmp_path / "c.yaml"))


def test_outputs_of_two_passes_are_two_arrays(network: Network) -> None:
    x = np.ones((5, 2))
    at_rest, in_training, short = network.forward(x), network.forward(x, training=True), network.forward(x[:2])
    assert not np.allclose(at_rest, in_training)
    np.testing.assert_allclose(at_rest[:2], short, rtol=1e-14)  # OpenBLAS adds in another order for 2 rows
    assert not np.shares_memory(at_rest, short)


def test_lists_do_as_well_as_arrays(network: Network) -> None:
    z = network.forward([[0.5, 1.0], [-1.0, 0.0]])
    expected = -np.log(z[[0, 1], [1, 0]]).mean()
    assert network.loss(z, [1, 0]) == pytest.approx(expected, rel=1e-12)


def test_gradients_are_those_of_the_loss_seen_from_outside(network: Network) -> None:
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(7, 2)), rng.integers(0, 2, 7)
    network.loss(network.forward(x), target)
    network.backward()
    for name, gradient in network.gradients.items():
        value = network.parameters[name]
        index = np.unravel_index(np.abs(gradient).argmax(), gradient.shape)
        losses = []
        for step in (1e-6, -2e-6):
            value[index] += step
            losses.append(-np.log(network.forward(x)[range(7), target]).mean())
        value[index] += 1e-6
        assert gradient[index] == pytest.approx((losses[0] - losses[1]) / 2e-6, rel=1e-6), name
