"""The graph: what fans out is summed, what is shared is one, what is overwritten was not needed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli.engine.battery import Projection
from backprop_cli.engine.gradcheck import check_network
from backprop_cli.engine.graph import Network, Node
from backprop_cli.errors import BuildError
from backprop_cli.registry import make

FLAT, SQUARE = (4,), (2, 2)
IN_PLACE = ["tanh", "sigmoid", "leaky_relu", "linear"]

Spec = tuple[str, dict[str, Any], list[str]]  # name, layer, inputs


def network(specs: Sequence[Spec], shape: tuple[int, ...] = FLAT, **options: Any) -> Network:
    nodes = [Node(name, make("layer", layer), tuple(inputs)) for name, layer, inputs in specs]
    options = {"dtype": "float64", "input_gradient": True, "loss": Projection(), **options}
    built = Network(nodes, shape, **options)
    built.store.values += 0.1 * np.random.default_rng(0).normal(size=built.store.values.shape)
    return built


def step(net: Network, x: np.ndarray, target: np.ndarray) -> dict[str, np.ndarray]:
    """All gradients after one step, filled with NaN before."""
    net.store.gradients[...] = np.nan
    net.loss(net.forward(x, training=True), target)
    net.backward()
    found = {name: gradient.copy() for name, gradient in net.gradients.items()}
    return found | ({"input": net.input_gradients.copy()} if net.input_gradient else {})


def assert_gradients(net: Network, n: int = 2) -> None:
    rng = np.random.default_rng(n)
    target = rng.normal(size=(n, *net.output_shape))
    if not isinstance(net.loss_function, Projection):
        target = rng.integers(0, net.output_shape[-1], n)
    x = rng.normal(size=(n, *net.input_shape))
    check = check_network(net, x, target, name="graph", elements=6)
    assert check.passed, check.worst


@st.composite
def graphs(draw: st.DrawFn) -> list[Spec]:
    """Any small DAG of layers that move data, overwrite it, view it, merge it, or share weights."""
    shapes = {"input": FLAT}
    widths: dict[str, int] = {}  # of the dense layers that others may share
    specs: list[Spec] = []
    for i in range(draw(st.integers(1, 7))):
        name, source = f"n{i}", draw(st.sampled_from(sorted(shapes)))
        kind = draw(st.sampled_from(["dense", "shared", "in_place", "dropout", "view", "merge", "norm"]))
        inputs, shape = [source], shapes[source]
        if kind == "shared" and widths:
            owner = draw(st.sampled_from(sorted(widths)))
            inputs = [draw(st.sampled_from(sorted(o for o, s in shapes.items() if s[-1] == widths[owner])))]
            shape, layer = shapes[inputs[0]], {"type": "dense", "units": widths[owner], "shared": owner}
        elif kind == "in_place":
            layer = {"type": draw(st.sampled_from(IN_PLACE))}
        elif kind == "dropout":
            layer = {"type": "dropout", "rate": 0.4}
        elif kind == "view":
            shape = SQUARE if shape == FLAT else FLAT
            layer = {"type": "reshape", "shape": list(shape)}
        elif kind == "merge":
            layer = {"type": draw(st.sampled_from(["add", "multiply", "average"]))}
            inputs.append(draw(st.sampled_from(sorted(o for o, s in shapes.items() if s == shape))))
        elif kind == "norm":
            layer = {"type": "layer_norm"}
        else:
            layer = {"type": "dense", "units": shape[-1], "activation": draw(st.sampled_from([None, "tanh", "gelu"]))}
            layer["frozen"] = draw(st.sampled_from([False, False, True, ["W"]]))
            widths[name] = shape[-1]
        specs.append((name, layer, inputs))
        shapes[name] = shape
    read = {name for _, _, inputs in specs for name in inputs}
    loose = [name for name, _, _ in specs if name not in read]
    specs += [(f"{name}_flat", {"type": "flatten"}, [name]) for name in loose]
    specs.append(("together", {"type": "concat"}, [f"{name}_flat" for name in loose]))
    activation = draw(st.sampled_from([None, "softmax"]))
    return [*specs, ("end", {"type": "dense", "units": 3, "activation": activation}, ["together"])]


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(specs=graphs(), fused=st.booleans())
def test_any_graph_has_the_gradients_it_claims(specs: list[Spec], fused: bool) -> None:
    fused = fused and specs[-1][1]["activation"] == "softmax"
    loss = make("loss", "sparse_categorical_crossentropy") if fused else Projection()
    net = network(specs, loss=loss)
    assert (net.head is not None) == fused
    assert_gradients(net)


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(specs=graphs())
def test_skipping_what_needs_no_gradient_changes_none(specs: list[Spec]) -> None:
    """Without the input's gradient, everything that is trained gets the same one."""
    rng = np.random.default_rng(1)
    x, r = rng.normal(size=(3, *FLAT)), rng.normal(size=(3, 3))
    with_dx, without = (step(network(specs, input_gradient=asked), x, r) for asked in (True, False))
    frozen = network(specs).store.entries
    for name, gradient in without.items():
        if not frozen[name].frozen:
            np.testing.assert_array_equal(gradient, with_dx[name], err_msg=name)


@settings(max_examples=60, deadline=None)
@given(specs=graphs(), n=st.integers(1, 4))
def test_the_data_stay_as_they_are(specs: list[Spec], n: int) -> None:
    """No layer that works in place may reach the input's buffer, in either direction."""
    net = network(specs)
    x = np.random.default_rng(n).normal(size=(n, *FLAT))
    net.reserve(4)
    net.input_buffer(n)[...] = x
    once = net.forward(net.input_buffer(n)).copy()
    net.loss(net.forward(net.input_buffer(n)), np.ones((n, 3)))
    net.backward()
    np.testing.assert_array_equal(net.input_buffer(n), x)
    np.testing.assert_array_equal(net.forward(net.input_buffer(n)), once)


DENSE = {"type": "dense", "units": 4}


def test_a_node_read_twice_by_one_layer() -> None:
    net = network([("a", DENSE, ["input"]), ("b", {"type": "multiply"}, ["a", "a"])])
    rng = np.random.default_rng(0)
    x, r = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    gradients = step(net, x, r)
    a = x @ net.parameters["a.W"] + net.parameters["a.b"]
    np.testing.assert_allclose(gradients["a.b"], (2 * a * r).sum(axis=0))
    assert_gradients(net)


def test_views_of_a_node_that_others_read() -> None:
    """A view's gradient may not be written into that of a node whose gradient is a sum."""
    net = network(
        [
            ("a", {**DENSE, "activation": "tanh"}, ["input"]),
            ("square", {"type": "reshape", "shape": [2, 2]}, ["a"]),
            ("mixed", {"type": "dense", "units": 2}, ["square"]),
            ("back", {"type": "flatten"}, ["mixed"]),
            ("b", {"type": "sigmoid"}, ["a"]),
            ("sum", {"type": "add"}, ["back", "b", "a"]),
        ]
    )
    assert_gradients(net)


def test_in_place_where_another_reads_the_same() -> None:
    """Of two readers neither may overwrite: what one saw, the other still needs."""
    for first, second in ((a, b) for a in IN_PLACE for b in IN_PLACE):
        net = network(
            [
                ("a", DENSE, ["input"]),
                ("one", {"type": first}, ["a"]),
                ("two", {"type": second}, ["a"]),
                ("sum", {"type": "add"}, ["one", "two"]),
            ]
        )
        assert_gradients(net)


def test_a_chain_in_place_is_one_array() -> None:
    net = network([("a", DENSE, ["input"]), ("drop", {"type": "dropout", "rate": 0.5}, ["a"]), ("b", DENSE, ["drop"])])
    net.forward(np.ones((2, 4)))
    values = net.plan.bind(2).values
    assert np.shares_memory(values["a"], values["drop"])
    assert_gradients(net)


@pytest.mark.parametrize("names", [("owner", "other"), ("other", "owner")])
def test_shared_weights_are_one_parameter_with_the_sum_of_gradients(names: tuple[str, str]) -> None:
    """A siamese pair, the owner before the other or after it."""
    layers = {"owner": DENSE, "other": {**DENSE, "shared": "owner"}}
    first, second = names
    net = network([(first, layers[first], ["input"]), (second, layers[second], [first])])
    assert list(net.parameters) == ["owner.W", "owner.b"]
    rng = np.random.default_rng(0)
    x, r = rng.normal(size=(3, 4)), rng.normal(size=(3, 4))
    W, b = net.parameters["owner.W"], net.parameters["owner.b"]
    h = x @ W + b
    np.testing.assert_allclose(net.forward(x), h @ W + b)
    gradients = step(net, x, r)
    np.testing.assert_allclose(gradients["owner.W"], h.T @ r + x.T @ (r @ W.T))
    np.testing.assert_allclose(gradients["owner.b"], r.sum(axis=0) + (r @ W.T).sum(axis=0))


def test_siamese_batch_norms_share_their_statistics() -> None:
    norm = {"type": "batch_norm", "momentum": 0.0}
    net = network([("a", norm, ["input"]), ("b", {**norm, "shared": "a"}, ["a"])])
    net.forward(np.random.default_rng(0).normal(3, 2, (50, 4)), training=True)
    assert list(net.states) == ["a.running_mean", "a.running_variance"]
    np.testing.assert_allclose(net.states["a.running_mean"], net.parameters["a.beta"])  # b came last
    assert_gradients(net, 5)


def test_what_cannot_be_shared_is_refused() -> None:
    def refused(other: dict[str, Any]) -> str:
        with pytest.raises(BuildError) as caught:
            network([("a", DENSE, ["input"]), ("b", other, ["a"])])
        assert caught.value.node == "b"
        return str(caught.value)

    assert "expected one of a" in refused({**DENSE, "shared": "aa"})
    assert "(4, 5)" in refused({"type": "dense", "units": 5, "shared": "a"})
    assert "that is a dense layer" in refused({"type": "batch_norm", "scale": False, "center": False, "shared": "a"})


def test_frozen_parameters_stay_out_of_what_an_optimizer_sees() -> None:
    net = network([("a", {**DENSE, "frozen": True}, ["input"]), ("b", {**DENSE, "frozen": ["b"]}, ["a"])])
    trained = net.store.values[: net.store.trainable]
    assert np.shares_memory(trained, net.parameters["b.W"])
    for name in ("a.W", "a.b", "b.b"):
        assert not np.shares_memory(trained, net.parameters[name])


def test_a_frozen_front_is_not_walked_back_through() -> None:
    net = network([("a", {**DENSE, "frozen": True}, ["input"]), ("b", DENSE, ["a"])], input_gradient=False)
    gradients = step(net, np.ones((2, 4)), np.ones((2, 4)))
    assert np.isnan(gradients["a.W"]).all()
    assert np.isfinite(gradients["b.W"]).all()


@pytest.mark.parametrize("last", [{"type": "flatten"}, {"type": "tanh"}, {**DENSE, "frozen": True}])
def test_a_network_with_nothing_to_train_runs_both_ways(last: dict[str, Any]) -> None:
    net = network([("a", {**DENSE, "frozen": True}, ["input"]), ("b", last, ["a"])], input_gradient=False)
    step(net, np.ones((2, 4)), np.ones((2, 4)))


def test_a_frozen_batch_norm_uses_what_it_has_seen() -> None:
    net = network([("a", {"type": "batch_norm", "frozen": True}, ["input"])])
    net.states["a.running_mean"][...] = 2.0
    x = np.random.default_rng(0).normal(size=(6, 4))
    np.testing.assert_array_equal(net.forward(x, training=True).copy(), net.forward(x, training=False))
    assert (net.states["a.running_mean"] == 2.0).all()
    assert_gradients(net)


def test_token_ids_may_be_read_by_many() -> None:
    table = {"type": "embedding", "input_dim": 6, "output_dim": 2}
    net = network(
        [
            ("a", table, ["input"]),
            ("b", {**table, "shared": "a"}, ["input"]),
            ("sum", {"type": "multiply"}, ["a", "b"]),
            ("end", {"type": "flatten"}, ["sum"]),
        ],
        (3,),
        integer_input=True,
        input_gradient=False,
    )
    ids = np.array([[0, 5, 5], [1, 0, 2]])
    r = np.random.default_rng(0).normal(size=(2, 6))
    check = check_network(net, ids, r, name="ids")
    assert check.passed, check.worst


def test_integers_need_a_layer_that_takes_them() -> None:
    with pytest.raises(BuildError, match="embedding") as caught:
        network([("a", DENSE, ["input"])], integer_input=True, input_gradient=False)
    assert caught.value.node == "a"


@pytest.mark.parametrize(
    ("specs", "node", "words"),
    [
        ([("a", DENSE, ["b"]), ("b", DENSE, ["a"])], "a", "form a cycle"),
        ([("a", DENSE, ["inpt"])], "a", "did you mean 'input'"),
        ([("a", DENSE, ["input"]), ("b", DENSE, ["input"])], "a", "nothing reads"),
        ([("a", DENSE, ["input", "input"])], "a", "takes one input"),
        ([("a", {**DENSE, "frozen": ["V"]}, ["input"])], "a", "frozen"),
        (
            [("a", {"type": "dense", "units": 3}, ["input"]), ("b", {"type": "add"}, ["a", "input"])],
            "b",
            "one shape",
        ),
    ],
)
def test_graphs_that_cannot_be_are_refused(specs: list[Spec], node: str, words: str) -> None:
    with pytest.raises(BuildError, match=words) as caught:
        network(specs)
    assert caught.value.node == node


def test_batches_of_any_size_in_any_order() -> None:
    """Views are made for each size and forgotten again; what a batch gives never depends on those before."""
    net = network([("a", DENSE, ["input"]), ("n", {"type": "layer_norm"}, ["a"]), ("b", {"type": "tanh"}, ["n"])])
    rng = np.random.default_rng(0)
    data = rng.normal(size=(9, 4))
    expected = {}
    for n in range(1, 10):
        fresh = network([("a", DENSE, ["input"]), ("n", {"type": "layer_norm"}, ["a"]), ("b", {"type": "tanh"}, ["n"])])
        expected[n] = step(fresh, data[:n], data[:n])
    for n in rng.permutation(np.repeat(np.arange(1, 10), 3)):
        for name, gradient in step(net, data[:n], data[:n]).items():
            np.testing.assert_allclose(gradient, expected[int(n)][name], rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("names", [("d", "w", "p"), ("p", "d", "w"), ("head", "input_1", "output"), ("z", "y", "dz")])
def test_what_layers_are_called_changes_no_number(names: tuple[str, str, str]) -> None:
    """A layer named like an array of the plan must not be given that array."""
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(5, 3)), np.arange(5) % 2
    found = []
    for called in (names, ("first", "second", "third")):
        a, b, c = called
        network = Network(
            [
                Node(a, make("layer", {"type": "dense", "units": 2}), ("input",)),
                Node(b, make("layer", {"type": "tanh"}), (a,)),
                Node(c, make("layer", {"type": "dense", "units": 2, "activation": "softmax"}), (b,)),
            ],
            (3,),
            make("loss", "cross_entropy"),
            dtype="float64",
        )
        y = network.forward(x, True).copy()
        loss = network.loss(y, target)
        network.backward()
        found.append((y, loss, *(gradient.copy() for gradient in network.gradients.values())))
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_equal(ours, theirs)
