"""Local connections without sharing, biases of places, and planes that are partly connected, as in LeCun 1989."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load_config
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.registry import make


def network(options: dict[str, Any], shape: tuple[int, ...]) -> Network:
    return Network([Node("layer", make("layer", options), (INPUT,))], shape, seed=1, dtype="float64")


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": [3, 2]},
        {"kernel_size": 3, "padding": "same", "strides": 2},
        {"kernel_size": 2, "padding": [[0, 1], [1, 1]], "strides": [1, 2]},
    ],
)
def test_it_is_conv2d_where_all_places_have_one_kernel(options: dict[str, Any]) -> None:
    x = np.random.default_rng(0).normal(size=(4, 6, 5, 3))
    shared = network({"type": "conv2d", "filters": 2, "activation": "tanh", **options}, x.shape[1:])
    local = network({"type": "locally_connected2d", "filters": 2, "activation": "tanh", **options}, x.shape[1:])
    shared.parameters["layer.b"][...] = [0.5, -0.5]
    for name in ("W", "b"):
        local.parameters[f"layer.{name}"][...] = shared.parameters[f"layer.{name}"]
    np.testing.assert_allclose(local.forward(x), shared.forward(x), atol=1e-12)


def test_every_place_has_its_own_kernel() -> None:
    x = np.random.default_rng(0).normal(size=(2, 4, 4, 2))
    local = network({"type": "locally_connected2d", "filters": 3, "kernel_size": 2, "strides": 2}, (4, 4, 2))
    w, b = local.parameters["layer.W"], local.parameters["layer.b"]
    b[...] = np.random.default_rng(1).normal(size=b.shape)
    assert w.shape == (2, 2, 2, 2, 2, 3)
    y = local.forward(x)
    for p, q in np.ndindex(2, 2):
        window = x[:, 2 * p : 2 * p + 2, 2 * q : 2 * q + 2].reshape(2, -1)
        np.testing.assert_allclose(y[:, p, q], window @ w[p, q].reshape(-1, 3) + b[p, q], atol=1e-12)


def test_first_values_are_those_of_one_place() -> None:
    local = network({"type": "locally_connected2d", "filters": 50, "kernel_size": 3}, (12, 12, 4))
    limit = np.sqrt(6 / (9 * 4 + 9 * 50))  # glorot_uniform of (3, 3, 4, 50)
    w = local.parameters["layer.W"]
    assert np.abs(w).max() <= limit
    assert w.std() == pytest.approx(limit / np.sqrt(3), rel=0.01)


def test_padding_puts_its_value_around() -> None:
    x = np.ones((1, 1, 2, 1))
    y = network({"type": "zero_padding", "padding": [1, 1], "value": -1}, (1, 2, 1)).forward(x)
    np.testing.assert_array_equal(y[0, :, :, 0], [[-1] * 4, [-1, 1, 1, -1], [-1] * 4])


def lecun_1989() -> Any:
    """The network of LeCun et al. 1989: biases of places, and each plane of the second layer on eight of the first."""
    planes = [[int((source - plane) % 12 < 8) for plane in range(12)] for source in range(12)]
    pad = {"type": "zero_padding", "padding": 2, "value": -1}
    plane = {"type": "conv2d", "filters": 12, "kernel_size": 5, "strides": 2, "bias": False}
    layers: list[Any] = [{"type": "reshape", "shape": [16, 16, 1]}]
    for mask in ({}, {"weight_mask": [[planes]]}):
        layers += [pad, {**plane, **mask}, {"type": "position_bias", "activation": "tanh"}]
    layers += ["flatten", {"type": "dense", "units": 30, "activation": "tanh"}]
    layers += [{"type": "dense", "units": 10, "activation": "tanh"}]
    data = {"source": "synthetic", "name": "blobs", "centers": 10, "features": 256, "transforms": ["one_hot"]}
    return load_config({"dataset": data, "architecture": layers, "loss": "mse", "trainer": {"epochs": 1}})


def test_lecuns_network_of_1989_has_its_9760_parameters() -> None:
    prepared = build.prepare(lecun_1989())
    network = prepared.network
    assert network.store.count == 9760
    assert network.node("position_bias_2").shape == (4, 4, 12)
    build.training(prepared)[0].run()
    kernel = network.parameters["conv2d_2.W"]
    assert kernel.shape == (5, 5, 12, 12)
    assert np.count_nonzero(kernel) == 25 * 8 * 12
