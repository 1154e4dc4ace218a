"""The checker itself: a wrong gradient is caught and named."""

import numpy as np
import pytest

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.battery import check_layer
from backprop_cli.engine.gradcheck import check_network
from backprop_cli.engine.graph import Network, Node
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.engine.layers.tanh import Tanh
from backprop_cli.registry import make


class Doubled(Dense):
    """A dense layer whose weight gradient is twice too large."""

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        super().backward(x, y, dy, dx)
        np.multiply(self.dW, 2, out=self.dW)


class Forgetful(Dense):
    """A dense layer that never writes its bias gradient."""

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        kept = self.db
        self.db = np.zeros_like(kept) if self.bias else kept
        super().backward(x, y, dy, dx)
        self.db = kept


class Slanted(Tanh):
    """tanh with the derivative of another function."""

    def backward(self, x: Array, y: Array, dy: Array, dx: Array | None) -> None:
        if dx is not None:
            np.multiply(dy, 1 - y, out=dx)


@pytest.mark.parametrize(
    ("layer", "culprit"), [(Doubled, ".W["), (Forgetful, "db was never written"), (Slanted, "input[")]
)
def test_a_wrong_gradient_is_caught_and_named(layer: type, culprit: str) -> None:
    failed = [check for check in check_layer(layer) if not check.passed]
    assert failed
    assert any(culprit in check.worst for check in failed)


def test_what_is_frozen_is_no_mismatch() -> None:
    nodes = [
        Node("first", Dense(units=3, frozen=True), ("input",)),
        Node("second", Dense(units=2, frozen=["b"]), ("first",)),
    ]
    network = Network(nodes, (4,), make("loss", "mse"), dtype="float64")
    rng = np.random.default_rng(0)
    found = check_network(network, rng.normal(size=(3, 4)), rng.normal(size=(3, 2)), name="frozen")
    assert found.passed and found.worst.startswith("second.W")
