"""Extreme inputs give finite values and gradients: ±1e4, zeros, constants, in both precisions."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import Network, Node
from backprop_cli.registry import classes, make
from tests.engine.conftest import network_around

INPUTS = ("large", "huge", "zeros", "constant", "one_hot")


def extreme(kind: str, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(0)
    if kind == "large":
        return np.asarray(rng.choice([-1e4, 1e4], shape))
    if kind == "huge":
        return rng.uniform(-1e4, 1e4, shape)
    if kind == "one_hot":
        x = np.zeros(shape)
        x[..., 0] = 1e4
        return x
    return np.full(shape, 0.0 if kind == "zeros" else -7.5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_layers(layer_example: tuple[str, dict[str, Any]], dtype: str) -> None:
    name, example = layer_example
    around, _, _ = network_around(name, example, 3)
    integers = around.input_dtype.kind == "i"
    network = Network(
        around.nodes,
        around.input_shape,
        Projection(),
        dtype=dtype,
        integer_input=integers,
        input_gradient=around.input_gradient,
    )
    codes = {int(column): count for column, count in example["options"].get("columns", {}).items() if count}
    for kind in ("zeros",) if integers else INPUTS:
        for training in (True, False):
            x = extreme(kind, (3, *network.input_shape)).astype(network.input_dtype)
            for column, count in codes.items():
                x[:, column] = np.clip(x[:, column], -1, count - 1)  # others are refused
            assert_finite(network, x, np.ones((3, *network.output_shape), dtype), training, kind)


def assert_finite(network: Network, x: np.ndarray, target: np.ndarray, training: bool, kind: str) -> None:
    with np.errstate(invalid="raise", over="raise", divide="raise"):
        y = network.forward(x, training)
        loss = network.loss(y, target)
        network.backward()
    assert np.isfinite(y).all(), f"{kind}: output"
    assert np.isfinite(loss), f"{kind}: loss"
    for name, gradient in network.gradients.items():
        assert np.isfinite(gradient).all(), f"{kind}: gradient of {name}"
    if network.input_gradient:
        assert np.isfinite(network.input_gradients).all(), f"{kind}: gradient of the input"


def losses() -> list[tuple[str, str | None]]:
    """(loss, the activation it is fused with, or None)."""
    return [(name, fused) for name, cls in classes("loss").items() for fused in (None, *cls.fuses)]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("name", "fused"), losses())
def test_losses(name: str, fused: str | None, dtype: str) -> None:
    """Outputs at the ends of their range, targets of one class."""
    for example in classes("loss")[name].examples:
        shape = tuple(example["output"])
        activation = fused or example.get("activation", "linear")
        nodes = [Node("start", make("layer", "linear"), ("input",)), Node("end", make("layer", activation), ("start",))]
        if fused is None:
            nodes.append(Node("last", make("layer", "linear"), ("end",)))
        loss = classes("loss")[name](**example.get("options", {}))
        network = Network(nodes, shape, loss, dtype=dtype, input_gradient=True)
        for kind in INPUTS:
            for target in targets(example["target"], shape, dtype):
                assert_finite(network, extreme(kind, (3, *shape)).astype(dtype), target, True, kind)


def targets(kind: str, shape: tuple[int, ...], dtype: str) -> list[np.ndarray]:
    """One class only, and values at both ends."""
    if kind == "classes":
        return [np.full((3, *shape[:-1]), label) for label in (0, shape[-1] - 1)]
    if kind == "distribution":
        return [np.eye(shape[-1], dtype=dtype)[np.full((3, *shape[:-1]), label)] for label in (0, shape[-1] - 1)]
    ends = {"binary": (0, 1), "signs": (-1, 1), "positive": (1e-3, 1e4)}.get(kind, (0, 1e4))
    return [np.full((3, *shape), end, dtype) for end in ends]


ROWWISE = {"softmax", "log_softmax"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", sorted(set(classes("activation")) - ROWWISE))
def test_far_out_an_activation_has_the_slope_it_ends_with(name: str, dtype: str) -> None:
    """At ±1e30 and the largest numbers as at ±1e4, where every activation is flat or straight."""
    network = Network(
        [Node("y", make("layer", name), ("input",))], (6,), Projection(), dtype=dtype, input_gradient=True
    )
    x = np.array([[-1e4, 1e4, -1e30, 1e30, np.finfo(dtype).min / 4, np.finfo(dtype).max / 4]], dtype)
    with np.errstate(over="ignore"):  # of squares whose exponential is 0
        y = network.forward(x, training=True)
        network.loss(y, np.ones((1, 6), dtype))
        network.backward()
    assert np.isfinite(y).all()
    slopes = network.input_gradients[0]
    np.testing.assert_allclose(slopes[2:], np.tile(slopes[:2], 2), atol=1e-6)
    largest = np.array([y[0, 3] / 1e30, y[0, 2] / -1e30])  # of a straight end: y/x
    np.testing.assert_allclose(slopes[[1, 0]], largest, atol=1e-4)
