"""Sequence layers compute what PyTorch computes, gradients and padding included.

The numbers were made by tests/reference/make_sequences.py; nothing here needs PyTorch.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.engine.arrays import Array
from backprop_cli.engine.battery import InputPart, Padded, Projection
from backprop_cli.engine.graph import INPUT, Network, Node
from backprop_cli.registry import make

REFERENCE = Path(__file__).parents[2] / "reference" / "sequences.npz"
with np.load(REFERENCE) as file:
    ARRAYS = dict(file)

UNITS = 4
TOLERANCE = {"float64": 1e-9, "float32": 1e-4}
RECURRENT = {
    "rnn": {"return_sequences": True},
    "rnn_relu": {"activation": "relu"},
    "rnn_padded": {"return_sequences": True},
    **{
        f"{cell}_{kind}": {"return_sequences": sequences}
        for cell in ("lstm", "gru")
        for kind, sequences in (
            ("last", False),
            ("sequences", True),
            ("padded_last", False),
            ("padded_sequences", True),
            ("bidirectional_last", False),
            ("bidirectional_sequences", True),
            ("bidirectional_padded", True),
            ("bidirectional_padded_last", False),
        )
    },
    "rnn_bidirectional_add": {"return_sequences": True},
    **{
        f"{cell}_start{padded}": {"return_sequences": not padded, "initial_state": "learned"}
        for cell in ("rnn", "lstm", "gru")
        for padded in ("", "_padded")
    },
}
ATTENTION = {
    "attention": {"heads": 3},
    "attention_causal": {"heads": 2, "causal": True},
    "attention_padded": {"heads": 1},
}


class Until(Padded):
    """The identity, with a mask of given lengths."""

    lengths: Array

    def forward(self, x: Array, y: Array, training: bool) -> None:
        np.copyto(y, x)
        self.made_mask[...] = np.arange(y.shape[1]) < self.lengths[:, None]


def of(case: str, prefix: str = "") -> dict[str, Array]:
    """The arrays of a case, by name."""
    start = f"{case}/{prefix}"
    return {name.removeprefix(start): array for name, array in ARRAYS.items() if name.startswith(start)}


def around(layer: Any, case: str, dtype: str) -> Network:
    """The layer, after a mask if the case is padded."""
    nodes = [Node("layer", make("layer", layer), (INPUT,))]
    if "lengths" in of(case):
        until = Until()
        until.lengths = of(case)["lengths"]
        nodes = [Node("until", until, (INPUT,)), Node("layer", nodes[0].layer, ("until",))]
    x = of(case)["x"]
    integers = x.dtype.kind == "i"
    return Network(nodes, x.shape[1:], Projection(), dtype=dtype, integer_input=integers, input_gradient=not integers)


def compare(network: Network, case: str, dtype: str) -> None:
    """Outputs at the steps that count, and every gradient."""
    data, tolerance = of(case), TOLERANCE[dtype]
    network.load_parameters({f"layer.{name}": array for name, array in of(case, "p:").items()})
    x = data["x"] if data["x"].dtype.kind == "i" else data["x"].astype(dtype)
    y = network.forward(x, training=True)
    counted = network.output_mask if network.output_mask is not None else slice(None)
    np.testing.assert_allclose(y[counted], data["y"][counted], rtol=tolerance, atol=tolerance)
    network.loss(y, data["r"].astype(dtype))
    network.backward()
    for name, expected in of(case, "d:").items():
        np.testing.assert_allclose(
            network.gradients[f"layer.{name}"], expected, rtol=tolerance, atol=tolerance, err_msg=name
        )
    assert {f"layer.{name}" for name in of(case, "d:")} == set(network.gradients)
    if "dx" in data:
        np.testing.assert_allclose(network.input_gradients, data["dx"], rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", RECURRENT)
def test_recurrent_layers(case: str, dtype: str) -> None:
    layer: dict[str, Any] = {"type": case.split("_")[0], "units": UNITS, **RECURRENT[case]}
    if "bidirectional" in case:
        layer = {"type": "bidirectional", "layer": layer, "merge": "add" if case.endswith("add") else "concat"}
    compare(around(layer, case, dtype), case, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("case", ATTENTION)
def test_self_attention(case: str, dtype: str) -> None:
    compare(around({"type": "multi_head_attention", **ATTENTION[case]}, case, dtype), case, dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_attention_to_another_sequence(dtype: str) -> None:
    case, tolerance = "attention_cross", TOLERANCE[dtype]
    data = of(case)
    x, memory = data["x"], data["memory"]
    first = int(np.prod(x.shape[1:]))
    nodes = [
        Node("x", InputPart(0, x.shape[1:]), (INPUT,)),
        Node("memory", InputPart(first, memory.shape[1:]), (INPUT,)),
        Node("layer", make("layer", {"type": "multi_head_attention", "heads": 2}), ("x", "memory")),
    ]
    both = np.concatenate([x.reshape(len(x), -1), memory.reshape(len(x), -1)], axis=1).astype(dtype)
    network = Network(nodes, both.shape[1:], Projection(), dtype=dtype, input_gradient=True)
    network.load_parameters({f"layer.{name}": array for name, array in of(case, "p:").items()})
    y = network.forward(both, training=True)
    np.testing.assert_allclose(y, data["y"], rtol=tolerance, atol=tolerance)
    network.loss(y, data["r"].astype(dtype))
    network.backward()
    for name, expected in of(case, "d:").items():
        np.testing.assert_allclose(network.gradients[f"layer.{name}"], expected, rtol=tolerance, atol=tolerance)
    dx = np.concatenate([data["dx"].reshape(len(x), -1), data["dmemory"].reshape(len(x), -1)], axis=1)
    np.testing.assert_allclose(network.input_gradients, dx, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_embedding(dtype: str) -> None:
    compare(around({"type": "embedding", "input_dim": 7, "output_dim": 3}, "embedding", dtype), "embedding", dtype)


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_tagger_of_padded_sequences(dtype: str) -> None:
    data, tolerance = of("tagger"), TOLERANCE[dtype]
    nodes = [
        Node(
            "table", make("layer", {"type": "embedding", "input_dim": 7, "output_dim": 4, "mask_zero": True}), (INPUT,)
        ),
        Node("lstm", make("layer", {"type": "lstm", "units": UNITS, "return_sequences": True}), ("table",)),
        Node("head", make("layer", {"type": "dense", "units": 3, "activation": "softmax"}), ("lstm",)),
    ]
    network = Network(nodes, data["x"].shape[1:], make("loss", "cross_entropy"), dtype=dtype, integer_input=True)
    network.load_parameters(of("tagger", "p:"))
    loss = network.loss(network.forward(data["x"], training=True), data["target"])
    network.backward()
    np.testing.assert_allclose(loss, data["loss"], rtol=tolerance)
    for name, expected in of("tagger", "d:").items():
        np.testing.assert_allclose(network.gradients[name], expected, rtol=tolerance, atol=tolerance, err_msg=name)
