"""`--to numpy`: every layer that it knows gives what bp gives, in a Python without bp."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
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


@pytest.mark.process
def test_a_name_is_text_and_no_program(tmp_path: Path) -> None:
    """A model of somebody else says how it is called: that must not run where its file is exported."""
    path = tmp_path / "model.yaml"
    evil = '"""; open(\'ran\', \'w\'); """'
    path.write_text(
        json.dumps({
            "name": evil,
            "dataset": {"source": "synthetic", "name": "xor"},
            "architecture": [{"type": "dense", "units": 1}],
            "loss": "hinge",
        })
    )  # fmt: skip
    model, dataset = untrained(path)
    model.description = model.description.model_copy(update={"program": evil + "\\", "name": evil + "\\"})
    x = dataset.splits["train"].x
    made = export(model, "numpy", tmp_path / 'sh"own.py')
    assert ast.parse(made.path.read_text()).body[1].names[0].name == "annotations"  # type: ignore[attr-defined]
    near(numpy_outputs(made.path, x), model.outputs(x))
    assert evil in (ast.get_docstring(ast.parse(made.path.read_text())) or "")


@pytest.mark.process
def test_variables_are_told_apart(tmp_path: Path) -> None:
    """a-b and a_b would be one, len and print stand for functions of Python's."""
    path = tmp_path / "model.yaml"
    layers = [
        {"type": "dense", "units": 4, "name": "a-b"},
        {"type": "dense", "units": 4, "name": "a_b"},
        {"type": "add", "inputs": ["a-b", "a_b"], "name": "len"},
        {"type": "dense", "units": 2, "name": "print"},
        {"type": "reshape", "shape": [2, 1]},
        "flatten",
    ]
    dataset = {"source": "synthetic", "name": "xor"}
    path.write_text(
        json.dumps({"dataset": dataset, "architecture": layers, "loss": {"type": "cross_entropy", "from_logits": True}})
    )
    model, data = untrained(path)
    x = data.splits["train"].x
    near(numpy_outputs(export(model, "numpy", tmp_path / "shown.py").path, x), model.outputs(x))


@pytest.mark.long
@pytest.mark.process
def test_a_table_as_config_init_writes_it(bp: Callable[..., Any], tmp_path: Path) -> None:
    rows = [f"{i / 7},{i % 13},k{i % 12},{i * 0.3 + i % 3}" for i in range(120)]
    (tmp_path / "t.csv").write_text("u,v,kind,price\n" + "\n".join(rows) + "\n")
    assert bp("config", "init", "model.yaml", "--data", "t.csv", "--target", "price").code == 0
    model, dataset = untrained(tmp_path / "model.yaml")
    x = dataset.splits["train"].x
    made = export(model, "numpy", tmp_path / "shown.py").path
    near(numpy_outputs(made, x), model.outputs(x))
    assert "CATEGORIES = {'kind': ['k0', " in made.read_text()
