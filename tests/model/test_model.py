"""A model's file alone is enough to use it: no config, no training data, nothing learnt again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from backprop_cli.commands.train import train
from backprop_cli.commands.trained import load
from backprop_cli.config import load_config
from backprop_cli.errors import BpError, CheckpointError
from backprop_cli.model import description
from backprop_cli.model.model import Model
from tests.checkpoints import Checkpoint

NOBODY = 65534
COLOURS = """
dataset:
  source: files
  path: colours.csv
  target: y
  missing: mean
  splits: {train: 80%, validation: 20%}
  transforms: [standardize]
architecture: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 2, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer: {type: adam, learning_rate: 0.05}
trainer: {epochs: 20, metrics: [accuracy]}
"""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a table of colours and a run."""
    folder = tmp_path_factory.mktemp("trained")
    rows = [f"{v / 10},{'blue' if v % 2 else 'green' if v % 4 else 'red'},{'a' if v % 2 else 'b'}" for v in range(40)]
    (folder / "colours.csv").write_text("v,colour,y\n" + "\n".join(rows) + "\n")
    (folder / "colours.yaml").write_text(COLOURS)
    train(load_config(folder / "colours.yaml"), run_dir=folder / "run")
    return folder


@pytest.fixture
def colours(trained: Path, tmp_path: Path) -> Path:
    """A copy of it, whose files can be changed at will."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    return tmp_path


def read(path: Path) -> Model:
    model = Model.read(path)
    assert model is not None
    return model


def rewritten(path: Path, to: Path, change: Callable[[Any], None]) -> Path:
    """A checkpoint whose description was edited, checksums and all."""
    checkpoint = Checkpoint.read(path)
    change(checkpoint.values["model"])
    checkpoint.write(to)
    return to


@pytest.mark.parametrize("name", ["best", "last"])
def test_the_file_alone_predicts_the_same_when_data_and_config_are_gone(colours: Path, name: str) -> None:
    kept = colours / "elsewhere" / "model.safetensors"
    kept.parent.mkdir()
    (colours / "run" / "checkpoints" / f"{name}.safetensors").rename(kept)
    new = [{"v": 1.0, "colour": "blue"}, {"colour": "green", "v": 2}, {"v": None, "colour": "red"}]
    before = read(kept).outputs(new)
    for path in ("colours.csv", "colours.yaml", "run/config.yaml", "run/run.json"):
        (colours / path).unlink()
    after = read(kept).outputs(new)
    assert np.array_equal(before, after) and before.shape == (3, 2)
    assert [read(kept).classes[i] for i in after.argmax(axis=1)][:2] == ["a", "b"]  # type: ignore[index]


@pytest.mark.parametrize(
    ("old", "new"), [("green", "amber"), (",a\n", ",z\n"), ("blue", "aquamarine"), ("\n", "\n9,black,c\n")]
)
def test_editing_the_training_data_changes_no_prediction(colours: Path, old: str, new: str, bp: Any) -> None:
    (colours / "new.csv").write_text("colour,v\nblue,0\nred,0\ngreen,2\n")
    before = bp("predict", "run", "new.csv", "--json").json
    table = colours / "colours.csv"
    table.write_text(table.read_text().replace(old, new))
    assert bp("predict", "run", "new.csv", "--json").json == before
    table.unlink()
    assert bp("predict", "run", "new.csv", "--json").json == before


def test_eval_keeps_to_what_the_model_has_learnt_and_says_when_the_data_are_others(colours: Path, bp: Any) -> None:
    clean = bp("eval", "run", "--json")
    assert clean.code == 0 and "not those" not in clean.err and clean.json["classes"] == ["a", "b"]
    table = colours / "colours.csv"
    text = table.read_text()
    table.write_text(text.replace("green", "amber"))  # sorts before blue
    other = bp("eval", "run")
    assert other.code == 0
    said = " ".join(other.err.split())
    assert "'amber'" in said and "not those that run was trained on" in said
    table.write_text(text.replace(",a\n", ",z\n"))
    done = bp("eval", "run")
    assert done.code == 1 and "label 'z' is none of the classes that the model has learnt: a, b" in done.err


def test_the_description_is_in_the_metadata_for_everybody(colours: Path) -> None:
    with safe_open(colours / "run" / "checkpoints" / "best.safetensors", "numpy") as file:
        said = json.loads(file.metadata()["bp"])["model"]
    assert said["version"] == description.VERSION
    assert said["data"]["classes"] == ["a", "b"] and said["data"]["targets"] == ["y"]
    assert said["data"]["table"]["categories"] == {"colour": ["blue", "green", "red"]}
    assert said["architecture"][0]["type"] == "dense"
    assert [each["type"] for each in said["transforms"]] == ["standardize"]


@pytest.mark.large
def test_long_tables_do_not_fill_the_header(tmp_path: Path) -> None:
    words = [f"word{i}" for i in range(3_000)]
    (tmp_path / "t.txt").write_text(" ".join(words * 2))
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: files, path: t.txt, level: word, vocabulary: 3000, length: 8, splits: {train: train}}\n"
        "architecture: [{type: embedding, input_dim: 3001, output_dim: 1},\n"
        "  {type: dense, units: 3001, activation: softmax}]\nloss: cross_entropy\n"
        "trainer: {epochs: 1, batch_size: 512}\n"
    )
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    path = tmp_path / "run" / "checkpoints" / "last.safetensors"
    assert int.from_bytes(path.read_bytes()[:8], "little") < 20_000
    assert sorted(read(path).classes or []) == sorted([*words, "�"])


def set_at(path: str, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        *parents, last = [int(key) if key.isdigit() else key for key in path.split(".")]
        for key in parents:
            document = document[key]
        document[last] = value

    return change


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("version", 7, "format 7, this bp reads 1"),
        ("version", "x", "its model's version"),
        ("dtype", "float16", "its model's dtype"),
        ("architecture", [], "its model's architecture"),
        ("architecture.0.units", "many", "architecture.0.units: expected a whole number"),
        ("architecture.0.units", 10**12, "its parameters need"),
        ("architecture.0.type", "dens", "unknown layer 'dens'"),
        ("architecture", "relu" * 1000, "its model's architecture"),
        ("transforms", [{"type": "standardize", "per": "me"}], "transforms.0.per"),
        ("transforms", [{"type": "pad", "length": 3}], "does not fit the network"),
        ("data.shape", [3], "shape"),
        ("data.shape", [-1], "its model's data.shape.0"),
        ("data.shape", [10**15], "rows of shape (1000000000000000,), and columns 'v'"),
        ("data.dtype", "object", "its model's data.dtype"),
        ("data.dtype", "nonsense", "its model's data.dtype"),
        ("data.classes", [1], "its model's data.classes.0"),
        ("data.classes", {"$table": 9}, "its model cannot be read"),
        ("data.table.categories", {"colour": 3}, "data.table.categories.colour"),
        ("data.table.features", ["v"], "rows of shape (4,), and columns 'v'"),
        ("data.table.features.0", "", "rows of shape (4,)"),
        ("loss", "nonsense", "unknown loss"),
        ("reading", 3, "its model's reading"),
        ("plugins", [{}], "its model's plugins.0"),
    ],
)
def test_an_edited_description_is_one_line(colours: Path, path: str, value: Any, said: str) -> None:
    best = colours / "run" / "checkpoints" / "best.safetensors"
    edited = rewritten(best, colours / "edited.safetensors", set_at(path, value))
    with pytest.raises(BpError) as caught:
        Model.read(edited).outputs([{"v": 1.0, "colour": "blue"}])  # type: ignore[union-attr]
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_truncated_file_is_one_line(colours: Path) -> None:
    best = colours / "run" / "checkpoints" / "best.safetensors"
    data = best.read_bytes()
    for size in (0, 7, 100, len(data) // 2, len(data) - 1):
        best.write_bytes(data[:size])
        with pytest.raises(CheckpointError):
            Model.read(best)


def test_a_run_of_an_older_bp_is_read_with_its_data(colours: Path, bp: Any) -> None:
    (colours / "new.csv").write_text("colour,v\nblue,0\nred,0\n")
    now = bp("predict", "run", "new.csv", "--json").json
    for name in ("best", "last"):
        path = colours / "run" / "checkpoints" / f"{name}.safetensors"
        checkpoint = Checkpoint.read(path)
        del checkpoint.values["model"]
        checkpoint.write(path)
    done = bp("predict", "run", "new.csv", "--json")
    assert done.json == now and "older bp" in done.err
    assert bp("eval", "run").code == 0


PLUGIN = '''
import numpy as np
from backprop_cli.plugins import Layer, layer

@layer("doubled")
class Doubled(Layer):
    """y = 2 x"""

    examples = [{"options": {}, "inputs": [(4,)]}]

    def build(self, *shapes):
        return shapes[0]

    def forward(self, x, y, training):
        np.multiply(x, 2, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(dy, 2, out=dx)
'''


def test_a_plugin_is_named_with_its_digest_and_run_only_if_given(tmp_path: Path, bp: Any) -> None:
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "c.yaml").write_text(
        "plugins: [mine.py]\ndataset: {source: sample, name: iris}\n"
        "architecture: [doubled, {type: dense, units: 3, activation: softmax}]\nloss: cross_entropy\n"
        "trainer: {epochs: 1}\n"
    )
    assert bp("train", "c.yaml", "--run-dir", "run", "--quiet").code == 0
    best = tmp_path / "run" / "checkpoints" / "best.safetensors"
    with pytest.raises(BpError, match=r"trained with the plugin mine\.py \(sha256"):
        Model.read(best)
    other = tmp_path / "other.py"
    other.write_text(PLUGIN.replace("2", "3"))
    with pytest.raises(BpError, match=r"trained with the plugin mine\.py .*; .*other\.py is another file \(sha256"):
        Model.read(best, [other])
    model = Model.read(best, [tmp_path / "mine.py"])
    assert model is not None and model.outputs(np.zeros((2, 4))).shape == (2, 3)


@pytest.mark.long
def test_the_doctor_and_pictures_read_changed_data_as_the_model_does(colours: Path, bp: Any) -> None:
    table = colours / "colours.csv"
    table.write_text(table.read_text().replace("green", "amber").replace("blue", "zinc"))
    for command in (["doctor", "run"], ["plot", "run", "--kind", "confusion", "-o", "c.svg"]):
        done = bp(*command)
        assert done.code == 0 and "Traceback" not in done.err, done.err
    table.write_text(table.read_text() + "9,violet,b\n")  # one more category: the network has no column for it
    for command in (["doctor", "run"], ["report", "run", "-o", "r.html"], ["eval", "run"]):
        done = bp(*command)
        assert done.code == 0 and "Traceback" not in done.err, done.err


@pytest.mark.long
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.process
def test_somebody_else_uses_a_run_that_they_cannot_write(colours: Path) -> None:
    """Without the data, from a folder of their own. They may read everything, for Python may lie in root's home."""
    (colours / "colours.csv").unlink()
    home = colours / "home"
    home.mkdir()
    (home / "new.csv").write_text("v,colour\n0.1,blue\n")
    os.chown(home, NOBODY, NOBODY)
    shutil.chown(home / "new.csv", NOBODY, NOBODY)
    read = ["--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search"]
    become = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", *read, sys.executable]
    before = sorted((path, path.stat().st_mtime_ns) for path in (colours / "run").rglob("*"))
    for model in ("../run", "../run/checkpoints/best.safetensors"):
        for more in (["predict", model, "new.csv", "-o", "out.csv"], ["export", model, "--to", "numpy", "-o", "m.py"]):
            done = subprocess.run(
                [*become, "-m", "backprop_cli", *more], cwd=home, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
    assert (home / "out.csv").stat().st_uid == NOBODY
    assert sorted((path, path.stat().st_mtime_ns) for path in (colours / "run").rglob("*")) == before


@pytest.mark.parametrize("name", ["m.pt", "m.onnx", "m.keras", "c.yaml", "t.csv", "empty.pt"])
def test_a_file_that_is_no_model_is_said_to_be_none(name: str, tmp_path: Path) -> None:
    """The two words of `bp predict` in the wrong order are no damage."""
    text = b"" if "empty" in name else b"PK\x03\x04 or any other text, of any length"
    (tmp_path / name).write_bytes(text)
    with pytest.raises(BpError, match=rf"{name}: no model; expected a run's directory or a \.safetensors file of bp;"):
        load(tmp_path / name)


def test_weights_of_others_are_no_model(tmp_path: Path) -> None:
    save_file({"fc.weight": np.zeros((2, 3), np.float32)}, tmp_path / "w.safetensors", {"format": "pt"})
    with pytest.raises(BpError, match="without a description, so no model of bp; weights of other programs start a tr"):
        load(tmp_path / "w.safetensors")
    (tmp_path / "folder").mkdir()
    with pytest.raises(BpError, match=r"folder: a folder, but no run: it has no run\.json"):
        load(tmp_path / "folder")
