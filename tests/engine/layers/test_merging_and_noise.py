"""Merges refuse branches that do not fit and break ties once; noise has the moments it promises."""

from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.errors import BuildError
from backprop_cli.registry import make

MERGES = ["add", "subtract", "multiply", "average", "maximum"]


@pytest.mark.parametrize("name", MERGES)
def test_branches_that_do_not_fit_are_refused(name: str) -> None:
    for shapes in ([(3,), (4,)], [(2, 1), (1, 2)], [(3,)]):
        with pytest.raises(BuildError, match=rf"{name} takes two or more inputs of one shape"):
            make("layer", name).build(*shapes)


def test_subtract_takes_two() -> None:
    with pytest.raises(BuildError, match="two inputs, got 3"):
        make("layer", "subtract").build((2,), (2,), (2,))


@pytest.mark.parametrize("name", MERGES)
def test_a_branch_with_itself_gets_both_gradients(name: str) -> None:
    nodes = [
        Node("a", make("layer", "tanh"), (INPUT,)),
        Node("m", make("layer", name), ("a", "a")),
    ]
    network = Network(nodes, (3,), Projection(), dtype="float64", input_gradient=True)
    x, dy = np.random.default_rng(0).normal(size=(2, 4, 3))
    network.loss(network.forward(x, training=True), dy)
    network.backward()
    y, slope = np.tanh(x), 1 - np.tanh(x) ** 2
    per_y = {"add": 2, "subtract": 0, "multiply": 2 * y, "average": 1, "maximum": 1}[name]
    np.testing.assert_allclose(network.input_gradients, dy * slope * per_y, atol=1e-15)


def stochastic(spec: Any, n: int = 2000) -> tuple[Network, np.ndarray, np.ndarray]:
    network = Network([Node("n", make("layer", spec), (INPUT,))], (50,), Projection(), input_gradient=True)
    x = np.full((n, 50), 3, np.float32)
    return network, x, network.forward(x, training=True)


def test_dropout_keeps_the_mean_and_its_mask() -> None:
    network, x, y = stochastic({"type": "dropout", "rate": 0.25})
    kept = y != 0
    np.testing.assert_allclose(y[kept], 4)
    assert abs(kept.mean() - 0.75) < 5 * np.sqrt(0.25 * 0.75 / y.size)
    network.loss(y, np.ones_like(x))
    network.backward()
    np.testing.assert_array_equal(network.input_gradients != 0, kept)
    np.testing.assert_array_equal(network.forward(x, training=False), x)


def test_gaussian_noise_has_its_deviation() -> None:
    network, x, y = stochastic({"type": "gaussian_noise", "stddev": 0.5})
    noise = (y - x).astype(np.float64)
    assert abs(noise.mean()) < 5 * 0.5 / np.sqrt(y.size)
    assert abs(noise.std() - 0.5) < 5 * 0.5 / np.sqrt(2 * y.size)
    np.testing.assert_array_equal(network.forward(x, training=False), x)
