"""`weights:` in a config: a run to start from, a part of it kept, mistakes told at once."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from backprop_cli import build
from backprop_cli.commands.resume import resume
from backprop_cli.commands.train import train
from backprop_cli.config.load import load_config as load
from backprop_cli.engine.graph import Network
from backprop_cli.errors import ConfigError
from backprop_cli.runs.checkpoints.checkpoint import CheckpointFile
from backprop_cli.runs.directory import RunDirectory

CONFIG = """\
name: {name}
dataset: {{source: sample, name: iris, transforms: [standardize]}}
architecture:
  - {{type: dense, units: {units}, activation: relu, frozen: {frozen}}}
  - {{type: batch_norm}}
  - {{type: dense, units: {classes}{tail}}}
loss: sparse_categorical_crossentropy
trainer: {{epochs: 2}}
"""
FIRST = {"name": "first", "units": 6, "frozen": "false", "classes": 3, "tail": ", activation: softmax"}


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    (folder / "first.yaml").write_text(CONFIG.format(**FIRST))
    train(load(folder / "first.yaml"), run_dir=folder / "runs" / "first")
    return folder


@pytest.fixture
def place(trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the config and the run of `trained`, where bp runs."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def arrays(run: str, which: str = "best") -> dict[str, np.ndarray]:
    return CheckpointFile(Path("runs") / run / "checkpoints" / f"{which}.safetensors").read()


def first_network(*overrides: str, say: Callable[[str], None] | None = None) -> Network:
    return build.prepare(load("first.yaml", overrides), warn=say).network


def test_a_run_goes_on_with_a_new_head_and_a_frozen_layer(place: Path) -> None:
    other = {**FIRST, "name": "second", "frozen": "true", "tail": ", activation: softmax, name: head"}
    Path("second.yaml").write_text(CONFIG.format(**other) + "weights: {path: runs/first, skip: [dense_2, head]}\n")
    said: list[str] = []
    train(load("second.yaml"), run_dir=Path("runs/second"), warn=said.append)
    assert any("dense_1, batch_norm_1; not loaded: head" in each for each in said)
    before, after = arrays("first"), arrays("second", "last")
    for name in ("dense_1.W", "dense_1.b"):
        np.testing.assert_array_equal(before[name], after[name])
    assert not np.array_equal(before["batch_norm_1.running_mean"], after["batch_norm_1.running_mean"])
    assert after["head.W"].shape == (6, 3)
    train(load("runs/second/config.yaml"), run_dir=Path("runs/third"), warn=said.append)
    np.testing.assert_array_equal(arrays("third", "last")["head.W"], after["head.W"])


@pytest.mark.parametrize("form", ["first", "latest", "runs/first", "runs/first/checkpoints/last.safetensors"])
def test_a_run_by_its_id_or_a_file(form: str, place: Path) -> None:
    which = "last" if form.endswith("last.safetensors") else "best"
    np.testing.assert_array_equal(
        first_network(f"weights={form}").parameters["dense_2.W"], arrays("first", which)["dense_2.W"]
    )


def test_given_parameters_come_after_the_weights_of_a_file(place: Path) -> None:
    made = first_network("weights=first", "parameters={dense_2.b: [1, 2, 3]}")
    assert made.parameters["dense_2.b"].tolist() == [1, 2, 3]
    np.testing.assert_array_equal(made.parameters["dense_2.W"], arrays("first")["dense_2.W"])


def test_resuming_needs_the_file_no_more(place: Path) -> None:
    train(load("first.yaml", ["weights=runs/first"]), run_dir=Path("runs/next"))
    Path("runs/first").rename("elsewhere")
    assert resume(RunDirectory(Path("runs/next")), epochs=3)["epochs"] == 3


def test_every_array_that_does_not_fit_is_told_at_once(bp: Callable[..., Any], place: Path) -> None:
    Path("wide.yaml").write_text(CONFIG.format(**{**FIRST, "units": 7}) + "weights: runs/first\n")
    done = bp("train", "wide.yaml")
    assert done.code == 2
    lines = done.err.splitlines()
    assert len(lines) == 7
    assert all(line.startswith("wide.yaml:9:1: weights: best.safetensors: ") for line in lines)
    assert "dense_1.W has shape (4, 7) here, (4, 6) in 'dense_1' of the file" in lines[0]
    assert [each.name for each in Path("runs").iterdir()] == ["first"]


def test_arrays_of_numpy_by_name(place: Path) -> None:
    given = {name: array for name, array in arrays("first").items() if "/" not in name}
    np.savez("weights.npz", **{name.replace("dense_1.", "dense_one."): each for name, each in given.items()})
    with pytest.raises(ConfigError) as found:
        first_network("weights=weights.npz")
    assert [each.message.partition(": ")[2] for each in found.value.problems] == [
        "nothing in the file fits dense_1.W (4, 6), dense_1.b (6,); the nearest name is 'dense_one'; "
        "map: {their name: name here} pairs layers",
        "no layer takes dense_one.W (4, 6), dense_one.b (6,) of the file; skip: ['dense_one'] leaves it out, "
        "strict: false all such",
    ]
    said: list[str] = []
    first_network("weights={path: weights.npz, map: {dense_one: dense_1}}", say=said.append)
    assert said[0].endswith("dense_one → dense_1, batch_norm_1, dense_2")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("nothing.safetensors", "no such file"),
        ("nothing", "no run 'nothing' in runs"),
        ("first.yaml", "expected a run of bp, or a .safetensors, .npz, .weights.h5 or .keras file"),
        ("sample:nothing", "no weights 'nothing' ship with bp"),
        (
            "{path: runs/first, match: [dense_7]}",
            "match: 'dense_7' names no layer or array of the network; did you mean",
        ),
        ("{path: runs/first, match: [dense_1, dens_*]}", "match: 'dens_*' names"),
        (
            "{path: runs/first, skip: [dense_22]}",
            "skip: 'dense_22' names no layer or array of the network and the file",
        ),
        ("{path: runs/first, match: [dense_7], strict: false}", "fits a layer of the network"),
        ("{path: runs/first, map: {dense_9: dense_1}}", "the file has no layer 'dense_9'"),
        ("[1]", "expected a"),
        ("configs", "a folder that is no run of bp"),
    ],
)
def test_typical_mistakes(value: str, said: str, place: Path) -> None:
    Path("configs").mkdir()
    with pytest.raises(ConfigError) as found:
        first_network(f"weights={value}")
    assert said in str(found.value) and found.value.problems[0].path == "weights"


def test_a_damaged_file_is_one_line(place: Path) -> None:
    path = Path("runs/first/checkpoints/best.safetensors")
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    with pytest.raises(ConfigError, match="checksum") as found:
        first_network("weights=runs/first")
    assert "\n" not in str(found.value)


@pytest.mark.parametrize("form", ["first", "runs/first", "runs/first/checkpoints/best.safetensors", "w.npz"])
def test_a_run_names_its_weights_as_relative_as_they_were_written(form: str, place: Path) -> None:
    """So the project can be moved with its runs, and a sweep is gone on with."""
    np.savez("w.npz", **dict(first_network().parameters))
    Path("second.yaml").write_text(
        CONFIG.format(**{**FIRST, "name": "second"}) + f"weights: {{path: {form}, strict: false}}\n"
    )
    train(load("second.yaml"), run_dir=Path("runs/second"), warn=[].append)
    file = "w.npz" if form == "w.npz" else "runs/first/checkpoints/best.safetensors"
    written = yaml.safe_load(Path("runs/second/config.yaml").read_text())["weights"]["path"]
    assert (Path(written).is_absolute(), os.path.normpath(f"runs/second/{written}")) == (False, file)
    absolute = [f"weights.path={Path(file).absolute()}"]
    train(load("second.yaml", absolute), run_dir=Path("runs/third"), warn=[].append)
    written = yaml.safe_load(Path("runs/third/config.yaml").read_text())["weights"]["path"]
    assert written == str(Path(file).absolute())


@pytest.mark.parametrize(
    "form", ["first", *(pytest.param(form, marks=pytest.mark.long) for form in ("latest", "runs/first", "w.npz"))]
)
def test_a_sweep_from_weights_is_gone_on_with(bp: Any, form: str, place: Path) -> None:
    np.savez("w.npz", **dict(first_network().parameters))
    Path("second.yaml").write_text(
        CONFIG.format(**{**FIRST, "name": "second"}) + f"weights: {{path: {form}, strict: false}}\n"
    )
    assert bp("sweep", "second.yaml", "--set", "seed=0,1", "--quiet").code == 0
    more = bp("sweep", "second.yaml", "--set", "seed=0,1,2", "--resume", "--quiet")
    assert more.code == 0, more.err


def test_weights_that_ship_are_named_as_such_in_the_run() -> None:
    """And not by where they lie in an environment that may go."""
    cfg = load("bp:finetune")
    build.prepare(cfg)
    assert str(cfg.weights.path) == "sample:mnist5k_cnn"
