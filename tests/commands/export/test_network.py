"""Every layer as ONNX operators, run by onnxruntime beside bp: the gradient battery's examples, all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from backprop_cli.commands.export import network as exporting
from backprop_cli.commands.export.graph import Graph, value
from backprop_cli.engine import battery
from backprop_cli.engine.graph import Network
from backprop_cli.engine.layer import Layer
from backprop_cli.registry import classes, make


def run(model: onnx.ModelProto, **inputs: Any) -> np.ndarray:
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def exported(network: Network, kind: str, shape: tuple[Any, ...]) -> onnx.ModelProto:
    graph = Graph()
    output = graph.add("Identity", exporting.write_network(graph, network, "x"))
    places = [f"size_{i}" for i in range(len(network.output_shape))]
    return graph.model([value("x", kind, shape)], value(output, "float32", ["N", *places]), {}, "test")


def examples() -> Iterator[Any]:
    for name, cls in classes("layer").items():
        for number, example in enumerate(cls.examples):
            yield pytest.param(cls, example, id=f"{name}-{number}")


def single(network: Network) -> Network:
    """The same network in float32."""
    whole = network.input_dtype.kind == "i"
    made = Network(network.nodes, network.input_shape, network.loss_function, integer_input=whole)
    made.store.values[...] = network.store.values
    made.store.state[...] = np.random.default_rng(0).uniform(0.5, 2, made.store.state.shape)
    return made


@pytest.mark.parametrize(("cls", "example"), list(examples()))
def test_a_layer_gives_what_bp_gives(cls: type[Layer], example: dict[str, Any]) -> None:
    shapes = [tuple(shape) for shape in example["inputs"]]
    padded = example.get("padded", False)
    network, x, _ = battery.around(cls(**example.get("options", {})), shapes, 3, padded=padded)
    network = single(network)
    kind = "int64" if x.dtype.kind == "i" else "float32"
    model = exported(network, kind, ("N", *network.input_shape))
    for rows in (x, x[:1]):
        expected = network.forward(rows.astype(kind))
        found = run(model, x=rows.astype(kind))
        assert found.shape == expected.shape and found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize("kind", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("backwards", [False, True])
def test_a_mask_may_have_holes_and_leave_out_whole_sequences(kind: str, backwards: bool) -> None:
    """ONNX's own operators know of padding at the end only."""
    options = {"units": 3, "return_sequences": True, "go_backwards": backwards}
    nodes = [
        battery.Node("masking", make("layer", "masking"), (battery.INPUT,)),
        battery.Node("walk", make("layer", {"type": kind, **options}), ("masking",)),
    ]
    network = Network(nodes, (5, 2), battery.Projection())
    rng = np.random.default_rng(1)
    network.store.values[...] = rng.normal(size=network.store.values.shape)
    x = rng.normal(size=(4, 5, 2)).astype(np.float32)
    x[0, [0, 2]] = x[1, 3:] = x[2] = 0
    found = run(exported(network, "float32", ("N", 5, 2)), x=x)
    np.testing.assert_allclose(found, network.forward(x), rtol=1e-5, atol=1e-6)
    assert not found[2].any()


def test_parameters_keep_their_names() -> None:
    network, _, _ = battery.around(make("layer", {"type": "dense", "units": 2, "activation": "prelu"}), [(3,)], 1)
    model = exported(single(network), "float32", ("N", 3))
    names = {each.name for each in model.graph.initializer}
    assert {"layer.W", "layer.b", "layer.activation.alpha"} <= names


def test_what_cannot_be_exported_is_named() -> None:
    class Odd(Layer):
        """A plugin's layer without `onnx`."""

        type_name = "odd"

        def build(self, *shapes: Any) -> Any:
            return shapes[0]

        def forward(self, x: Any, y: Any, training: bool) -> None:
            np.copyto(y, x)

    nodes = [
        battery.Node("first", make("layer", {"type": "dense", "units": 3}), (battery.INPUT,)),
        battery.Node("strange", Odd(), ("first",)),
    ]
    assert exporting.not_exportable(Network(nodes, (3,), battery.Projection())) == ["strange (odd)"]
