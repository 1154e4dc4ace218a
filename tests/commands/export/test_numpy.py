"""`--to numpy`: every layer that it knows gives what bp gives, in a Python without bp."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.commands.export import calls, shown
from backprop_cli.commands.export.export import export
from backprop_cli.engine import battery
from backprop_cli.engine.layer import Activation
from backprop_cli.registry import classes
from tests.commands.export.conftest import near, numpy_outputs, untrained

WITH_NUMPY = {"np": np, **{name: each for name, each in vars(shown).items() if not name.startswith("_")}}


def examples() -> list[Any]:
    found = []
    for name, cls in classes("layer").items():
        if name in {**calls.LAYERS, **calls.MERGES}:
            found += [
                pytest.param(cls, each, id=f"{name}-{number}")
                for number, each in enumerate(cls.examples)
                if not each.get("padded")
            ]
    return found


@pytest.mark.parametrize(("cls", "example"), examples())
def test_a_layer_as_it_is_shown(cls: Any, example: dict[str, Any]) -> None:
    """The call that is written, evaluated beside bp, over the gradient battery's examples."""
    shapes = [tuple(shape) for shape in example["inputs"]]
    network, x, _ = battery.around(cls(**example.get("options", {})), shapes, 3)
    network.store.state[...] += np.random.default_rng(0).uniform(0, 1, network.store.state.shape)
    expected = network.forward(x)
    node = network.node("layer")
    names = [f"x{i}" for i in range(len(node.inputs))]
    written = calls.write(node.layer, names, lambda prefix: lambda name: f'W["layer.{prefix}{name}"]')
    if written is None:
        assert example["options"].keys() & {"mask_zero", "kind"}
        return
    values = {name: network.outputs[source].copy() for name, source in zip(names, node.inputs, strict=True)}
    found = eval(written, {**WITH_NUMPY, **values, "W": {**network.parameters, **network.states}})
    np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_every_activation_is_shown() -> None:
    activations = {name for name, cls in classes("layer").items() if issubclass(cls, Activation)}
    assert activations <= calls.LAYERS.keys()


ARCHITECTURE = [
    {"type": "conv2d", "filters": 4, "kernel_size": 3, "padding": "same", "activation": "relu", "name": "relu"},
    {"type": "batch_norm"},
    {"parallel": {"branches": [["max_pool2d"], [{"type": "avg_pool2d"}]], "merge": "concat"}},
    {"residual": [{"type": "conv2d", "filters": 8, "kernel_size": 1}, "silu"]},
    "global_avg_pool",
    {"type": "dropout", "rate": 0.5},
    {"type": "dense", "units": 3, "activation": "softmax"},
]


@pytest.mark.process
def test_a_whole_network_without_bp(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(0, 256, (12, 8, 8, 1)).astype(np.uint8), rng.integers(0, 3, 12)
    np.savez(tmp_path / "data.npz", x=x, y=y)
    dataset = {"source": "files", "path": "data.npz", "transforms": ["scale", "standardize", {"type": "flip"}]}
    path = tmp_path / "model.yaml"
    path.write_text(json.dumps({"dataset": dataset, "architecture": ARCHITECTURE, "loss": "cross_entropy"}))
    model, _ = untrained(path)
    made = export(model, "numpy", tmp_path / "shown.py")
    near(numpy_outputs(made.path, x), model.outputs(x))
    text = made.path.read_text()
    assert "relu_ = relu(conv2d(pad(x, (1, 1), (1, 1))" in text and "def mish" not in text
    assert "dropout" not in text


def test_few_numbers_are_written_out(tmp_path: Path) -> None:
    path = tmp_path / "model.yaml"
    path.write_text("dataset: {source: synthetic, name: xor}\narchitecture: [{type: dense, units: 1}]\nloss: hinge\n")
    model, _ = untrained(path, ["parameters={dense_1.W: [[1.5], [-2]]}"])
    text = export(model, "numpy", tmp_path / "shown.py").path.read_text()
    assert "base64" not in text and '"dense_1.W": np.array([[' in text
