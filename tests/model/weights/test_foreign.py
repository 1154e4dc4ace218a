"""Files that PyTorch and Keras wrote (scripts/make_foreign_weights.py) give here the outputs they gave there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from backprop_cli.config.schema import Weights
from backprop_cli.engine.battery import Projection
from backprop_cli.engine.graph import Network
from backprop_cli.errors import DataError
from backprop_cli.model.expand import Expander
from backprop_cli.model.weights.load import MisfitError, load_foreign
from backprop_cli.registry import make

FILES = Path(__file__).parent / "files"
RELU = {"type": "relu"}
NETWORKS: dict[str, list[Any]] = {
    "torch_cnn.safetensors": [
        {"type": "conv2d", "filters": 3, "kernel_size": 3, "padding": 1},
        "batch_norm",
        "relu",
        {"type": "conv2d", "filters": 6, "kernel_size": 2, "groups": 3, "bias": False},
        "max_pool2d",
        "flatten",
        "batch_norm",
        {"type": "dropout", "rate": 0.5},
        {"type": "dense", "units": 4, "activation": "relu"},
        {"type": "dense", "units": 3},
    ],
    "torch_upward.safetensors": [
        {"type": "conv2d_transpose", "filters": 4, "kernel_size": 3, "strides": 2, "padding": 1},
        {"type": "group_norm", "groups": 2},
    ],
    "torch_wave.safetensors": [
        {"type": "conv1d", "filters": 3, "kernel_size": 3, "activation": "tanh"},
        "avg_pool1d",
        "flatten",
        {"type": "dense", "units": 2},
    ],
    "torch_sequences.safetensors": [
        {"type": "embedding", "input_dim": 7, "output_dim": 4},
        {"type": "rnn", "units": 3, "return_sequences": True},
        {"type": "bidirectional", "layer": {"type": "lstm", "units": 3, "return_sequences": True}},
        "layer_norm",
        {"type": "gru", "units": 4, "return_sequences": True},
        {"type": "gru", "units": 4},
        {"type": "dense", "units": 2},
    ],
    "torch_attention.safetensors": [
        {"type": "positional_embedding", "name": "positions"},
        {"type": "multi_head_attention", "heads": 2, "name": "attention"},
        {"type": "add", "inputs": ["positions", "attention"]},
        "prelu",
        {"type": "dense", "units": 3},
    ],
    "keras_cnn.weights.h5": [
        {"type": "conv2d", "filters": 3, "kernel_size": 3, "padding": "same", "strides": 2, "activation": "relu"},
        {"type": "batch_norm", "scale": False, "epsilon": 1e-3},
        {"type": "depthwise_conv2d", "kernel_size": 2, "depth_multiplier": 2},
        {"type": "conv2d_transpose", "filters": 2, "kernel_size": 2, "strides": 2, "activation": "prelu"},
        "flatten",
        {"type": "dense", "units": 4, "activation": "tanh"},
        {"type": "dense", "units": 3, "name": "head"},
    ],
    "keras_sequences.weights.h5": [
        {"type": "embedding", "input_dim": 7, "output_dim": 4, "mask_zero": True},
        {"type": "bidirectional", "layer": {"type": "lstm", "units": 3, "return_sequences": True}},
        {"type": "layer_norm", "epsilon": 1e-3},
        {"type": "gru", "units": 4, "return_sequences": True},
        {"type": "gru", "units": 4, "return_sequences": True, "reset_after": False},
        {"type": "rnn", "units": 3},
        {"type": "dense", "units": 2},
    ],
    "keras_attention.weights.h5": [
        {"type": "residual", "layers": [{"type": "multi_head_attention", "heads": 2}]},
        "rms_norm",
    ],
}
NETWORKS["keras_cnn.keras"] = NETWORKS["keras_cnn.weights.h5"]
NETWORKS |= {name.replace(".weights", ""): layers for name, layers in NETWORKS.items() if name.endswith(".h5")}


def expanded(items: list[Any], shape: tuple[int, ...]) -> Any:
    expander = Expander(shape)
    expander.expand([make("layer", item) for item in items])
    return expander.nodes


def network(name: str, x: np.ndarray, change: dict[int, Any] | None = None) -> Network:
    items = [(change or {}).get(number, item) for number, item in enumerate(NETWORKS[name])]
    expander = Expander(x.shape[1:])
    expander.expand([make("sugar" if "residual" in str(item) else "layer", item) for item in items])
    return Network(expander.nodes, x.shape[1:], Projection(), integer_input=x.dtype.kind == "i")


def inputs(name: str) -> tuple[np.ndarray, np.ndarray]:
    with np.load(FILES / f"{name.partition('.')[0]}.npz") as file:
        return file["x"], file["y"]


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_are_those_of_the_program_that_wrote_the_file(name: str) -> None:
    x, y = inputs(name)
    made = network(name, x)
    said: list[str] = []
    load_foreign(made, Weights(path=FILES / name), said.append)
    np.testing.assert_allclose(made.forward(x), y, rtol=1e-6, atol=1e-6)
    assert len(said) == 1 and name in said[0]


def test_names_as_keras_2_itself_wrote_them(tmp_path: Path) -> None:
    """With a number behind each variable, cells without a name of their own, a model inside a model, and long lists of
    names in pieces. Layers come in their own order, whatever they are called."""
    x = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    first, second = (np.random.default_rng(seed).normal(size=(4, 4)).astype(np.float32) for seed in (1, 2))
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file.attrs["layer_names0"], file.attrs["layer_names1"] = [b"model"], [b"a", b"dropout"]
        file.create_dataset("model/model/z/kernel:0", data=first)
        file["model"].attrs["weight_names"] = [b"model/z/kernel:0"]
        file.create_dataset("a/a/kernel:0", data=second)
        file["a"].attrs["weight_names"] = [b"a/kernel:0"]
        file.create_group("dropout").attrs["weight_names"] = np.array([], "S1")
    made = Network(expanded([{"type": "dense", "units": 4, "bias": False}] * 2, (4,)), (4,), Projection())
    load_foreign(made, Weights(path=path))
    np.testing.assert_allclose(made.forward(x), x @ first @ second, rtol=1e-5)


def test_halves_that_only_pytorch_has(tmp_path: Path) -> None:
    """bfloat16 is the upper half of float32: a sign, eight bits of exponent, seven of fraction."""
    header = json.dumps(
        {
            "0.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]},
            "0.weight": {"dtype": "BF16", "shape": [2, 1], "data_offsets": [4, 8]},
        }
    ).encode()
    path = tmp_path / "half.safetensors"
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes.fromhex("803f 40c0 4940 0080"))
    made = Network(expanded([{"type": "dense", "units": 2}], (1,)), (1,), Projection())
    load_foreign(made, Weights(path=path))
    assert made.parameters["dense_1.b"].tolist() == [1.0, -3.0]
    assert made.parameters["dense_1.W"].tolist() == [[3.140625, -0.0]]


def test_what_was_guessed_is_said() -> None:
    x, _ = inputs("torch_attention")
    said: list[str] = []
    load_foreign(
        network("torch_attention.safetensors", x), Weights(path=FILES / "torch_attention.safetensors"), said.append
    )
    assert said[0].endswith(": positions, attention, slope → prelu_1, head → dense_1")


def test_every_wrong_shape_is_said_at_once_and_nothing_is_loaded() -> None:
    name = "torch_cnn.safetensors"
    x, _ = inputs(name)
    made = network(
        name, x, {0: {"type": "conv2d", "filters": 3, "kernel_size": 5, "padding": 2}, 9: {"type": "dense", "units": 2}}
    )
    before = made.store.values.copy()
    with pytest.raises(MisfitError) as found:
        load_foreign(made, Weights(path=FILES / name))
    assert found.value.problems == [
        f"{name}: conv2d_1.W has shape (5, 5, 2, 3) here, (3, 3, 2, 3) in '0' of the file",
        f"{name}: dense_2.W has shape (4, 2) here, (4, 3) in '10' of the file",
        f"{name}: dense_2.b has shape (2,) here, (3,) in '10' of the file",
    ]
    np.testing.assert_array_equal(made.store.values, before)


def test_a_part_of_a_network_by_patterns() -> None:
    name = "torch_cnn.safetensors"
    x, _ = inputs(name)
    made = network(name, x, {9: {"type": "dense", "units": 7}})
    head = made.parameters["dense_2.W"].copy()
    said: list[str] = []
    load_foreign(made, Weights(path=FILES / name, skip=["dense_2", "10"]), said.append)
    np.testing.assert_array_equal(made.parameters["dense_2.W"], head)
    assert said[0].endswith("; not loaded: dense_2")
    only = network(name, x, {9: {"type": "dense", "units": 7}})
    load_foreign(only, Weights(path=FILES / name, match=["conv2d*"]))
    np.testing.assert_array_equal(only.parameters["conv2d_1.W"], made.parameters["conv2d_1.W"])
    assert not np.array_equal(only.parameters["dense_1.W"], made.parameters["dense_1.W"])


def test_layers_are_paired_by_the_map() -> None:
    name = "torch_sequences.safetensors"
    x, _ = inputs(name)
    made = network(name, x)
    swapped = network(name, x)
    load_foreign(made, Weights(path=FILES / name))
    load_foreign(swapped, Weights(path=FILES / name, map={"head": "dense_1"}))
    np.testing.assert_array_equal(made.store.values, swapped.store.values)
    with pytest.raises(MisfitError, match=r"map: the file has no layer 'heads' .* did you mean 'head'\?"):
        load_foreign(made, Weights(path=FILES / name, map={"heads": "dense_1"}))


def test_what_nobody_takes_is_an_error_unless_not_strict() -> None:
    name = "torch_upward.safetensors"
    x, _ = inputs(name)
    expander = Expander(x.shape[1:])
    expander.expand([make("layer", NETWORKS[name][0])])
    made = Network(expander.nodes, x.shape[1:], Projection())
    with pytest.raises(
        MisfitError, match=r"no layer takes 1\.bias \(4,\), 1\.weight \(4,\) of the file; skip: \['1'\]"
    ):
        load_foreign(made, Weights(path=FILES / name))
    load_foreign(made, Weights(path=FILES / name, strict=False))


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.pt"
    path.write_bytes(b"cos\nsystem\n(S'touch owned'\ntR.")
    x, _ = inputs("torch_cnn")
    with pytest.raises(DataError, match=r"never loaded; in PyTorch:\n(.*\n){2}.*'model\.safetensors'\)$"):
        load_foreign(network("torch_cnn.safetensors", x), Weights(path=path))


@pytest.mark.parametrize("name", ["torch_cnn.safetensors", "keras_cnn.weights.h5", "keras_cnn.keras", "torch_cnn.npz"])
@pytest.mark.parametrize("share", [0, 0.01, 0.5, 0.99])
def test_a_truncated_file_is_one_line(name: str, share: float, tmp_path: Path) -> None:
    whole = (FILES / name).read_bytes()
    path = tmp_path / name
    path.write_bytes(whole[: int(len(whole) * share)])
    x, _ = inputs("torch_cnn")
    with pytest.raises(DataError) as found:
        load_foreign(network("torch_cnn.safetensors", x), Weights(path=path))
    assert "\n" not in str(found.value) and str(path) in str(found.value)


def test_a_file_that_points_at_others_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(64))
    path = tmp_path / "evil.weights.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("layers/dense/vars/0", (4, 2), "f8", external=[(str(secret), 0, 64)])
    x, _ = inputs("torch_cnn")
    with pytest.raises(DataError, match="lies in another file"):
        load_foreign(network("torch_cnn.safetensors", x), Weights(path=path))
