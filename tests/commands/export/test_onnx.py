"""`--to onnx`: inputs, transforms, tables, lengths, metadata, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli.commands.export.export import export
from backprop_cli.data.files.unseen import Unseen
from backprop_cli.data.inputs import rows_of
from backprop_cli.errors import UsageError
from tests.commands.export.conftest import near, onnx_outputs, session, untrained

DENSE = "[{type: dense, units: 4, activation: tanh}, {type: dense, units: 2}]"


def config(folder: Path, dataset: str, architecture: str = DENSE, loss: str = "mse", more: str = "") -> Path:
    path = folder / "model.yaml"
    path.write_text(f"dataset: {dataset}\narchitecture: {architecture}\nloss: {loss}\n{more}")
    return path


def arrays(folder: Path, x: Any, y: Any) -> str:
    np.savez(folder / "data.npz", x=x, y=y)
    return "source: files, path: data.npz"


def sequences(**options: Any) -> str:
    return json.dumps(
        [{"type": "masking"}, {"type": "bidirectional", "layer": {**options}}, {"type": "dense", "units": 1}]
    )


@pytest.mark.parametrize(
    ("transform", "shape", "dtype"),
    [
        ("{type: scale, by: 0.5, offset: -1}", (3,), "uint8"),
        ("standardize", (3,), "float32"),
        ("{type: standardize, per: position}", (3, 2), "float64"),
        ("{type: standardize, mean: [1, 2, 3], std: [2, 2, 4]}", (3,), "float64"),
        ("normalize", (3,), "float64"),
        ("{type: normalize, per: all, low: -1, high: 2}", (3,), "int64"),
        ("{type: clip, low: 50}", (3,), "float32"),
        ("{type: clip, low: 50, high: 60.5}", (3,), "int16"),
        ("log1p", (3,), "float64"),
        ("cast", (3,), "int64"),
        ("input_as_target", (2,), "float64"),
        ("{type: reshape, shape: [6]}", (3, 2), "float64"),
        ("{type: one_hot, of: input, classes: 256}", (3,), "int64"),
        ("{type: crop, size: [2, 3], padding: 1}", (5, 4, 1), "uint8"),
        ("{type: pad, length: 5, value: 7, fill: start}", (3, 2), "float32"),
        ("{type: pad, length: 2, keep: end}", (3, 2), "float64"),
        ("{type: flip}", (4, 4, 1), "uint8"),
        ("{type: standardize, mask_value: 1}", (3, 2), "float64"),
        ("{type: standardize, mask_value: 1}", (3, 2), "int64"),
        ("{type: normalize, mask_value: 1, low: -1}", (3, 2), "float32"),
        ("{type: spectrogram, window: 16, hop: 5}", (60, 2), "float32"),
        ("{type: spectrogram, window: 16, mels: 3, sample_rate: 8000, log: false}", (60, 1), "float32"),
    ],
)
def test_a_transform_is_part_of_the_model(transform: str, shape: tuple[int, ...], dtype: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(1, 200, (20, *shape)).astype(dtype)
    if "mask_value" in transform:
        x[::3, 1:] = 1
    source = arrays(tmp_path, x, rng.normal(size=(20, 2)))
    layers = DENSE if len(shape) == 1 and "one_hot" not in transform else DENSE.replace("[", "[flatten, ", 1)
    model, _ = untrained(config(tmp_path, f"{{{source}, transforms: [{transform}]}}", layers))
    made = export(model, "onnx", tmp_path / "model.onnx")
    near(onnx_outputs(made.path, x), model.outputs(x))


@pytest.mark.parametrize("transform", ["standardize", "normalize", "robust_scale"])
def test_values_far_from_0_are_taken_as_float64(transform: str, tmp_path: Path) -> None:
    """Seconds since 1970 in float32 are two minutes apart."""
    rng = np.random.default_rng(0)
    x = 1.7e9 + rng.uniform(0, 3600, (30, 2))
    source = arrays(tmp_path, x, rng.normal(size=(30, 2)))
    model, _ = untrained(config(tmp_path, f"{{{source}, transforms: [{transform}]}}"))
    made = export(model, "onnx", tmp_path / "model.onnx")
    assert made.inputs[0]["type"] == "float64" and "float32 would round" in made.notes[0]
    near(onnx_outputs(made.path, x), model.outputs(x))


TABLE = "age,port,fare,alive\n" + "".join(
    f"{age},{port},{fare},{alive}\n"
    for age, port, fare, alive in [
        ("22", "S", 7.25, 0), ("38", "C", 71.28, 1), ("", "S", 7.92, 1), ("35", "", 53.1, 1), ("28", "Q", 8.05, 0),
        ("31", "S", 8.46, 0), ("54", "S", 51.86, 0), ("2", "Q", 21.07, 0), ("27", "C", 11.13, 1), ("14", "C", 30.07, 1),
    ]
)  # fmt: skip


@pytest.mark.parametrize("encoding", ["one_hot", "integer"])
def test_the_columns_of_a_table_are_inputs_by_name(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text(TABLE)
    options = f"target: alive, missing: mean, encoding: {encoding}, transforms: [standardize]"
    dataset = f"{{source: files, path: data.csv, {options}}}"
    layers = DENSE.replace("{type: dense, units: 2}", "{type: dense, units: 2, activation: softmax}")
    model, _ = untrained(config(tmp_path, dataset, layers, "cross_entropy"))
    made = export(model, "onnx", tmp_path / "model.onnx")
    assert [(each["name"], each["type"]) for each in made.inputs] == [
        ("age", "float32"), ("port", "text"), ("fare", "float32")
    ]  # fmt: skip
    rows = [line.split(",")[:3] for line in TABLE.splitlines()[1:]]
    columns = {
        "age": np.array([[float(row[0] or "nan")] for row in rows], np.float32),
        "port": np.array([[row[1]] for row in rows], object),
        "fare": np.array([[float(row[2])] for row in rows], np.float32),
    }
    near(onnx_outputs(made.path, columns), model.outputs(tmp_path / "data.csv"))
    if encoding == "one_hot":
        columns["port"][0] = "nowhere"
        rows = rows_of({"age": 22, "port": "nowhere", "fare": 7.25}, model.description.data, unseen=Unseen())
        assert rows.x.tolist() == [[22, 0, 0, 0, 7.25]]  # none of the known ones
        near(onnx_outputs(made.path, columns)[:1], model.outputs(rows))
    known = session(made.path).get_modelmeta().custom_metadata_map
    assert json.loads(known["classes"]) == ["0", "1"]
    assert json.loads(known["targets"]) == ["alive"]


def test_a_table_of_numbers_is_one_input(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("a,b,price\n1,2,3.5\n4,,6.25\n7,8,9\n3,1,4.75\n")
    options = "target: price, missing: mean, splits: {train: 100%}, transforms: [normalize]"
    dataset = f"{{source: files, path: data.csv, {options}}}"
    model, _ = untrained(config(tmp_path, dataset, "[{type: dense, units: 1}]"))
    made = export(model, "onnx", tmp_path / "model.onnx")
    assert made.inputs == [{"name": "input", "type": "float32", "shape": ["batch", 2]}]
    x = np.array([[1, 2], [4, np.nan], [7, 8], [3, 1]])
    near(onnx_outputs(made.path, x), model.outputs(tmp_path / "data.csv"))
    assert json.loads(session(made.path).get_modelmeta().custom_metadata_map["features"]) == ["a", "b"]


def test_texts_begin_as_token_ids(tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_text("text,label\n" + "a good film,yes\na bad film,no\n" * 4)
    dataset = "{source: files, path: data.csv, target: label, text: text, transforms: [{type: tokenize, length: 4}]}"
    table = "{type: embedding, input_dim: 8, output_dim: 3, mask_zero: true}"
    layers = f"[{table}, {{type: lstm, units: 3}}, {{type: dense, units: 2}}]"
    model, _ = untrained(config(tmp_path, dataset, layers, "{type: cross_entropy, from_logits: true}"))
    made = export(model, "onnx", tmp_path / "model.onnx")
    assert "token ids" in made.notes[0]
    known = json.loads(session(made.path).get_modelmeta().custom_metadata_map["vocabulary"])
    ids = np.array([[known[word] for word in text.split()] + [0] for text in ("a good film", "a bad film")])
    near(onnx_outputs(made.path, ids), model.outputs(np.array([b"a good film", b"a bad film"])))


CONV = "{type: conv1d, filters: 3, kernel_size: 2"


@pytest.mark.parametrize(
    ("layers", "any_length"),
    [
        ("[{type: lstm, units: 3}, {type: dense, units: 1}]", True),
        (sequences(type="gru", units=2), True),
        ("[{type: multi_head_attention, heads: 2, causal: true}, global_avg_pool, {type: dense, units: 1}]", True),
        (f"[{CONV}, padding: same}}, layer_norm, global_max_pool, {{type: dense, units: 1}}]", True),
        (f"[{CONV}, strides: 2}}, global_max_pool, {{type: dense, units: 1}}]", True),
        (f"[{CONV}, strides: 3, padding: same}}, global_max_pool, {{type: dense, units: 1}}]", False),
        ("[positional_embedding, global_avg_pool, {type: dense, units: 1}]", False),
        ("[flatten, {type: dense, units: 1}]", False),
    ],
)
def test_sequences_of_any_length_where_the_network_allows(layers: str, any_length: bool, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(6, 5, 2)).astype(np.float32)
    x[0, 3:] = 0
    model, _ = untrained(config(tmp_path, f"{{{arrays(tmp_path, x, rng.normal(size=(6, 1)))}}}", layers))
    made = export(model, "onnx", tmp_path / "model.onnx")
    near(onnx_outputs(made.path, x), model.outputs(x))
    assert made.inputs[0]["shape"] == ["batch", "length" if any_length else 5, 2]
    if any_length:
        short, long = (rng.normal(size=(6, steps, 2)).astype(np.float32) for steps in (4, 9))
        for other in (short, long):
            again, _ = untrained(config(tmp_path, f"{{{arrays(tmp_path, other, rng.normal(size=(6, 1)))}}}", layers))
            again.network.store.values[...] = model.network.store.values
            near(onnx_outputs(made.path, other), again.outputs(other))


PLUGIN = """\
import numpy as np
from backprop_cli.plugins import Layer, Transform, layer, transform

@layer("double")
class Double(Layer):
    '''y = 2 x'''
    def build(self, *shapes):
        return shapes[0]
    def forward(self, x, y, training):
        np.multiply(x, 2, out=y)
    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(dy, 2, out=dx)
{onnx}

@transform("negate")
class Negate(Transform):
    '''x to -x'''
    def apply(self, x, y, out, rng):
        np.negative(x, out=out)
        return y
{onnx}
"""


def test_a_plugin_offers_the_method_or_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 3))
    dataset = f"{{{arrays(tmp_path, x, rng.normal(size=(8, 2)))}, transforms: [negate]}}"
    layers = "[double, {type: dense, units: 2}]"
    target = tmp_path / "model.onnx"
    (tmp_path / "without.py").write_text(PLUGIN.format(onnx=""))
    model, _ = untrained(config(tmp_path, dataset, layers, more="plugins: [without.py]\n"))
    with pytest.raises(UsageError, match=r"^double_1 \(double\), transform negate cannot be exported to ONNX"):
        export(model, "onnx", target)
    assert not target.exists()
    with pytest.raises(UsageError, match=r"^double_1 \(double\), transform negate cannot be exported to numpy"):
        export(model, "numpy", tmp_path / "model.py")


def test_a_plugin_with_the_method_is_exported(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8, 3))
    dataset = f"{{{arrays(tmp_path, x, rng.normal(size=(8, 2)))}, transforms: [negate]}}"
    body = "    def onnx(self, graph, x):\n        return graph.add('Mul', x, {})\n"
    text = PLUGIN.replace("{onnx}", body.format("2.0"), 1).replace("{onnx}", body.format("-1.0"))
    (tmp_path / "with.py").write_text(text)
    layers = "[double, {type: dense, units: 2}]"
    model, _ = untrained(config(tmp_path, dataset, layers, more="plugins: [with.py]\n"))
    made = export(model, "onnx", tmp_path / "model.onnx")
    near(onnx_outputs(made.path, x), model.outputs(x))
