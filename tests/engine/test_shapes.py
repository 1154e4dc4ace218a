"""What holds of every layer's shapes, whatever it computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.engine.needs import Needs
from backprop_cli.registry import classes
from tests.engine.conftest import network_around


def test_build_names_the_shape_that_forward_writes(layer_example: tuple[str, dict[str, Any]]) -> None:
    name, example = layer_example
    layer = classes("layer")[name](**example.get("options", {}))
    for _, part in layer.walk():
        part.needs = Needs()
    shape = layer.build(*(tuple(each) for each in example["inputs"]))
    network, x, _ = network_around(name, example, 2)
    assert all(isinstance(size, int) and size > 0 for size in shape)
    assert network.forward(x).shape == (2, *shape)
    assert layer.flops(*(tuple(each) for each in example["inputs"])) >= 0


def test_a_short_batch_gives_the_rows_of_a_long_one(layer_example: tuple[str, dict[str, Any]]) -> None:
    """In inference no example depends on its neighbours, and every output is written again."""
    name, example = layer_example
    network, x, _ = network_around(name, example, 5)
    whole = network.forward(x).copy()
    for n in (3, 1, 5):
        np.testing.assert_allclose(network.forward(x[:n]), whole[:n], rtol=1e-12, atol=1e-12)
