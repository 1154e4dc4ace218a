"""What PyTorch's numbers do not show: other forms, alignment, refusals."""

from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.battery import Padded, Projection
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.errors import BuildError, DataError
from backprop_cli.registry import make

CELLS = ({"type": "rnn"}, {"type": "lstm"}, {"type": "gru"}, {"type": "gru", "reset_after": False})


def alone(layer: dict[str, Any], shape: tuple[int, ...], **options: Any) -> Network:
    """A network of one layer."""
    options = {"dtype": "float64", "input_gradient": not options.get("integer_input"), **options}
    return Network([Node("layer", make("layer", layer), (INPUT,))], shape, Projection(), **options)


def sigmoid(a: Array) -> Array:
    return 1 / (1 + np.exp(-a))


def test_gru_without_reset_after_is_the_formula_of_the_paper() -> None:
    rng, units, (n, steps, features) = np.random.default_rng(0), 3, (2, 4, 5)
    network = alone({"type": "gru", "units": units, "reset_after": False, "return_sequences": True}, (steps, features))
    network.load_parameters({"layer.b": rng.normal(size=3 * units)})
    x = rng.normal(size=(n, steps, features))
    W, U, b = (network.parameters[f"layer.{name}"] for name in "WUb")
    y = network.forward(x)
    for example in range(n):
        h = np.zeros(units)
        for t in range(steps):
            a = x[example, t] @ W + b
            z = sigmoid(a[:units] + h @ U[:, :units])
            r = sigmoid(a[units : 2 * units] + h @ U[:, units : 2 * units])
            candidate = np.tanh(a[2 * units :] + (r * h) @ U[:, 2 * units :])
            h = z * h + (1 - z) * candidate
            np.testing.assert_allclose(y[example, t], h, rtol=1e-12)


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_reading_backwards_is_reading_the_reverse(cell: dict[str, Any]) -> None:
    x = np.random.default_rng(1).normal(size=(2, 4, 3))
    options = {**cell, "units": 2, "return_sequences": True}
    ahead, back = alone(options, (4, 3)), alone({**options, "go_backwards": True}, (4, 3))
    back.load_parameters(ahead.parameters)
    np.testing.assert_array_equal(back.forward(x), ahead.forward(x[:, ::-1])[:, ::-1])


@pytest.mark.parametrize("cell", CELLS, ids=str)
def test_the_output_is_held_over_padding_and_padding_has_no_gradient(cell: dict[str, Any]) -> None:
    layer = make("layer", {**cell, "units": 2, "return_sequences": True})
    nodes = [Node("padded", Padded(), (INPUT,)), Node("layer", layer, ("padded",))]
    network = Network(nodes, (4, 3), Projection(), dtype="float64", input_gradient=True)
    x = np.random.default_rng(2).normal(size=(3, 4, 3))
    y = network.forward(x, training=True).copy()
    mask = network.output_mask
    assert mask is not None
    np.testing.assert_array_equal(y[2, 2:], [y[2, 1]] * 2)
    network.loss(y, np.ones_like(y))
    network.backward()
    assert not network.input_gradients[~mask].any()
    assert network.input_gradients[mask].all()


def test_the_forget_gate_is_open_at_first() -> None:
    opened = alone({"type": "lstm", "units": 2}, (3, 1)).parameters["layer.b"]
    np.testing.assert_array_equal(opened, [0, 0, 1, 1, 0, 0, 0, 0])
    tenths = alone({"type": "lstm", "units": 2, "bias_initializer": {"type": "constant", "value": 0.1}}, (3, 1))
    np.testing.assert_allclose(tenths.parameters["layer.b"], [0.1, 0.1, 1, 1, 0.1, 0.1, 0.1, 0.1], rtol=1e-6)
    assert not alone({"type": "lstm", "units": 2, "unit_forget_bias": False}, (3, 1)).parameters["layer.b"].any()


def test_bidirectional_readers_start_differently() -> None:
    network = alone({"type": "bidirectional", "layer": {"type": "rnn", "units": 3}}, (4, 2))
    assert set(network.parameters) == {f"layer.{side}.{name}" for name in "WUb" for side in ("forward", "backward")}
    assert (network.parameters["layer.forward.W"] != network.parameters["layer.backward.W"]).all()


def test_sinusoids_are_those_of_the_paper() -> None:
    y = alone({"type": "positional_embedding", "kind": "sinusoidal"}, (6, 5)).forward(np.zeros((1, 6, 5)))[0]
    for t in range(6):
        for column in range(5):
            angle = t / 10000 ** ((column - column % 2) / 5)
            np.testing.assert_allclose(y[t, column], np.cos(angle) if column % 2 else np.sin(angle), atol=1e-12)


def test_permute_counts_axes_from_one() -> None:
    x = np.random.default_rng(3).normal(size=(2, 3, 4, 5))
    y = alone({"type": "permute", "dims": [3, 1, 2]}, (3, 4, 5)).forward(x)
    np.testing.assert_array_equal(y, x.transpose(0, 3, 1, 2))


def test_causal_attention_does_not_see_the_future() -> None:
    network = alone({"type": "multi_head_attention", "heads": 2, "causal": True}, (5, 4))
    x = np.random.default_rng(4).normal(size=(1, 5, 4))
    before = network.forward(x).copy()
    x[0, 3:] += 1
    after = network.forward(x)
    np.testing.assert_array_equal(before[0, :3], after[0, :3])
    assert (before[0, 3:] != after[0, 3:]).all()


@pytest.mark.parametrize(
    ("layer", "shape", "words"),
    [
        ({"type": "multi_head_attention", "heads": 3}, (5, 4), "3 heads do not divide the width 4"),
        ({"type": "multi_head_attention", "heads": 1}, (4,), r"one sequence \(T, F\)"),
        ({"type": "lstm", "units": 2}, (4,), "sequences of shape"),
        ({"type": "bidirectional", "layer": {"type": "dense", "units": 2}}, (3, 2), "wraps a recurrent layer"),
        ({"type": "permute", "dims": [1, 1]}, (3, 2), "each axis"),
        ({"type": "positional_embedding"}, (4,), "sequences of shape"),
        ({"type": "masking"}, (4,), "sequences of shape"),
    ],
    ids=str,
)
def test_what_cannot_be_built_is_refused_by_name(layer: dict[str, Any], shape: tuple[int, ...], words: str) -> None:
    with pytest.raises(BuildError, match=f"layer: .*{words}"):
        alone(layer, shape)


@pytest.mark.parametrize("token", [-1, 5])
def test_an_id_outside_the_table_is_refused(token: int) -> None:
    network = alone({"type": "embedding", "input_dim": 5, "output_dim": 2}, (3,), integer_input=True)
    with pytest.raises(DataError, match=f"token id {token} .* ids 0 to 4"):
        network.forward(np.array([[0, token, 1]]))


def test_attention_where_every_key_is_padding_is_finite() -> None:
    nodes = [
        Node("masking", make("layer", "masking"), (INPUT,)),
        Node("layer", make("layer", {"type": "multi_head_attention", "heads": 1, "causal": True}), ("masking",)),
    ]
    network = Network(nodes, (3, 2), Projection(), dtype="float32", input_gradient=True)
    y = network.forward(np.zeros((2, 3, 2), np.float32), training=True)
    network.loss(y, np.ones_like(y))
    network.backward()
    assert np.isfinite(y).all()
    assert np.isfinite(network.store.gradients).all()
