"""Padding is found, travels through the graph, and does not count."""

from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.registry import make

T, F = 4, 2


def chain(*layers: object, shape: tuple[int, ...] = (T, F), loss: object = None, **options: Any) -> Network:
    """A network of these layers, one after the other."""
    nodes, before = [], INPUT
    for index, spec in enumerate(layers):
        nodes.append(Node(f"l{index}", make("layer", spec), (before,)))
        before = f"l{index}"
    return Network(nodes, shape, make("loss", loss), dtype="float64", **options)


def padded(rng: np.random.Generator, lengths: list[int], value: float = 0.0) -> np.ndarray:
    """Random sequences with `value` after their ends."""
    x = rng.normal(size=(len(lengths), T, F))
    for row, length in enumerate(lengths):
        x[row, length:] = value
    return x


def test_masking_finds_the_padding_and_passes_it_on() -> None:
    network = chain({"type": "masking", "mask_value": -1.0}, {"type": "dense", "units": 3}, "tanh")
    network.forward(padded(np.random.default_rng(0), [4, 1, 0], -1.0))
    expected = [[True] * 4, [True, False, False, False], [False] * 4]
    assert network.output_mask is not None
    np.testing.assert_array_equal(network.output_mask, expected)


def test_a_layer_that_rearranges_steps_ends_the_mask() -> None:
    for end in ("flatten", {"type": "reshape", "shape": [T, F, 1]}):
        network = chain("masking", end)
        network.forward(padded(np.random.default_rng(0), [2, 3]))
        assert network.output_mask is None


def test_the_loss_is_the_mean_over_the_steps_that_count() -> None:
    rng, lengths = np.random.default_rng(1), [4, 2, 1]
    network = chain("masking", {"type": "dense", "units": 3, "activation": "softmax"}, loss="cross_entropy")
    x, target = padded(rng, lengths), rng.integers(0, 3, (3, T))
    y = network.forward(x, training=True)
    value = network.loss(y, target)
    network.backward()
    losses = [-np.log(y[n, t, target[n, t]]) for n in range(3) for t in range(lengths[n])]
    np.testing.assert_allclose(value, np.mean(losses))

    rows = np.concatenate([x[n, :length] for n, length in enumerate(lengths)])
    ids = np.concatenate([target[n, :length] for n, length in enumerate(lengths)])
    alone = chain({"type": "dense", "units": 3, "activation": "softmax"}, shape=(F,), loss="cross_entropy")
    alone.load_parameters({name.replace("l1", "l0"): view for name, view in network.parameters.items()})
    alone.loss(alone.forward(rows, training=True), ids)
    alone.backward()
    np.testing.assert_allclose(network.gradients["l1.W"], alone.gradients["l0.W"])
    np.testing.assert_allclose(network.gradients["l1.b"], alone.gradients["l0.b"])


def test_masked_steps_do_not_count_beside_weights_of_examples() -> None:
    rng = np.random.default_rng(2)
    network = chain("masking", {"type": "dense", "units": 2}, loss="mse")
    x, target, weight = padded(rng, [4, 1]), rng.normal(size=(2, T, 2)), np.array([0.5, 3.0])
    y = network.forward(x)
    error = ((y - target) ** 2).mean(axis=-1)
    expected = (0.5 * error[0].sum() + 3.0 * error[1, 0]) / 5
    np.testing.assert_allclose(network.loss(y, target, weight), expected)


def test_a_batch_of_padding_alone_is_finite() -> None:
    network = chain("masking", {"type": "dense", "units": 2}, loss="mse")
    value = network.loss(network.forward(np.zeros((2, T, F)), training=True), np.ones((2, T, 2)))
    network.backward()
    assert value == 0
    assert np.isfinite(network.gradients["l1.W"]).all()


@pytest.mark.parametrize("pool", ["global_avg_pool", "global_max_pool"])
def test_pooling_over_time_looks_at_the_steps_that_count(pool: str) -> None:
    x = padded(np.random.default_rng(3), [4, 2, 0])
    x[..., 0] -= 5  # so that a padded 0 would be the largest
    x[1, 2:] = x[2] = 0
    y = chain("masking", pool).forward(x)
    reduce = np.mean if pool == "global_avg_pool" else np.max
    np.testing.assert_allclose(y, [reduce(x[0], axis=0), reduce(x[1, :2], axis=0), [0, 0]])


def graph(*specs: tuple[str, object, tuple[str, ...]], loss: str = "mse", **options: Any) -> Network:
    """A network of (name, layer, inputs)."""
    nodes = [Node(name, make("layer", spec), inputs) for name, spec, inputs in specs]
    return Network(nodes, (T, F), make("loss", loss), dtype="float64", **options)


ATTENTION = {"type": "multi_head_attention", "heads": 1}


@pytest.mark.parametrize("queries", ["tanh", {"type": "crop", "cropping": [[0, 2]]}, {"type": "upsampling"}], ids=str)
def test_a_mask_of_the_keys_is_none_of_the_queries(queries: object) -> None:
    network = graph(("m", "masking", (INPUT,)), ("q", queries, (INPUT,)), ("y", ATTENTION, ("q", "m")))
    rng = np.random.default_rng(4)
    y = network.forward(padded(rng, [4, 1, 2]))
    target = rng.normal(size=y.shape)
    assert network.output_mask is None
    np.testing.assert_allclose(network.loss(y, target), np.mean((y - target) ** 2))
    network.backward()


def test_a_mask_of_the_queries_goes_on() -> None:
    network = graph(("q", "masking", (INPUT,)), ("m", {"type": "upsampling"}, (INPUT,)), ("y", ATTENTION, ("q", "m")))
    network.forward(padded(np.random.default_rng(5), [4, 1, 2]))
    np.testing.assert_array_equal(network.output_mask, np.arange(T) < np.array([[4], [1], [2]]))


@pytest.mark.parametrize("merge", ["add", "subtract", "multiply", "maximum", "average", "concat"])
@pytest.mark.parametrize("both", [True, False])
def test_a_step_of_a_merge_counts_if_it_does_in_every_input(merge: str, both: bool) -> None:
    """One stream is padded with 0, the other with 7, in the same data."""
    x = padded(np.random.default_rng(6), [4, 2, 3])
    x[:, 0] = 7
    sevens = {"type": "masking", "mask_value": 7.0} if both else "tanh"
    network = graph(("a", "masking", (INPUT,)), ("b", sevens, (INPUT,)), ("y", merge, ("a", "b")))
    network.forward(x)
    counts = np.arange(T) < np.array([[4], [2], [3]])
    np.testing.assert_array_equal(network.output_mask, counts & (np.arange(T) > 0) if both else counts)


@pytest.mark.parametrize("first", [True, False])
def test_sequences_after_each_other_keep_their_masks(first: bool) -> None:
    ends = ("masking", "tanh") if first else ("tanh", "masking")
    network = graph(
        ("a", ends[0], (INPUT,)), ("b", ends[1], (INPUT,)), ("y", {"type": "concat", "axis": 0}, ("a", "b"))
    )
    network.forward(padded(np.random.default_rng(7), [4, 2, 3]))
    counts, all_of_them = np.arange(T) < np.array([[4], [2], [3]]), np.ones((3, T), bool)
    expected = [counts, all_of_them] if first else [all_of_them, counts]
    np.testing.assert_array_equal(network.output_mask, np.concatenate(expected, axis=1))


def test_a_second_masking_brings_no_step_back() -> None:
    network = chain("masking", {"type": "masking", "mask_value": -1.0})
    network.forward(padded(np.random.default_rng(8), [4, 1, 2]))
    np.testing.assert_array_equal(network.output_mask, np.arange(T) < np.array([[4], [1], [2]]))


@pytest.mark.parametrize("padding", ["valid", "same", "causal", [[1, 0]]])
def test_a_convolution_gives_a_padded_sequence_what_it_gives_without_padding(padding: object) -> None:
    layer = {"type": "conv1d", "filters": 2, "kernel_size": 2, "padding": padding}
    network = chain("masking", layer, loss="mse")
    x = padded(np.random.default_rng(9), [3])
    y = network.forward(x)
    mask = network.output_mask
    alone = chain(layer, shape=(3, F), loss="mse")
    alone.load_parameters({name.replace("l1", "l0"): view for name, view in network.parameters.items()})
    np.testing.assert_allclose(y[mask], alone.forward(x[:, :3])[0])
