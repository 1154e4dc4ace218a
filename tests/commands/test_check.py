"""`bp check`: what it accepts trains, what it refuses says where."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backprop_cli import build
from backprop_cli.commands.check import check_config, config_gradients
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.config.starter import TASKS as STARTERS
from backprop_cli.config.starter import starter
from backprop_cli.errors import BpError, ConfigError, DivergedError, UsageError

ROOT = Path(__file__).parents[2]
units = st.integers(1, 6)
activations = st.sampled_from([None, "relu", "tanh", "sigmoid", "prelu", "softmax"])
layers = st.one_of(
    st.builds(lambda n, a: {"type": "dense", "units": n, "activation": a}, units, activations),
    st.sampled_from(["batch_norm", "flatten", "layer_norm", "relu", {"type": "dropout", "rate": 0.5}]),
    st.sampled_from([{"type": "reshape", "shape": [1, 2]}, {"type": "lstm", "units": 2}, "global_avg_pool1d"]),
    st.builds(lambda n: {"residual": [{"type": "dense", "units": n}]}, units),
    st.builds(
        lambda n, t: {"repeat": {"times": t, "layers": [{"type": "dense", "units": n}]}}, units, st.integers(1, 3)
    ),
)
CLASSES, VALUES = ["sparse_categorical_crossentropy"], ["mse", "huber", "log_cosh"]
TASKS = [  # a dataset, the layers that end a network for it, the losses that fit
    ({"source": "sample", "name": "iris"}, [{"type": "dense", "units": 3, "activation": "softmax"}], CLASSES),
    ({"source": "synthetic", "name": "moons", "samples": 40}, [{"type": "dense", "units": 2}], CLASSES),
    ({"source": "synthetic", "name": "friedman", "samples": 3}, [{"type": "dense", "units": 1}], VALUES),
    ({"source": "synthetic", "name": "adding", "samples": 20}, ["flatten", {"type": "dense", "units": 1}], VALUES),
]
trainers = st.fixed_dictionaries(
    {"batch_size": st.sampled_from([1, 7, 64, "full"]), "epochs": st.just(1)},
    optional={
        "drop_last": st.booleans(),
        "metrics": st.lists(st.sampled_from(["accuracy", "mae", "auc", "top_k"]), max_size=2, unique=True),
        "early_stopping": st.sampled_from([{}, {"monitor": "train/loss"}, {"monitor": "validation/loss"}]),
    },
)


@st.composite
def configurations(draw: Any) -> dict[str, Any]:
    """Mostly plausible ones, and now and then a loss that does not fit."""
    dataset, head, fitting = draw(st.sampled_from(TASKS))
    body = draw(st.lists(layers, max_size=2))
    return {
        "dataset": dataset,
        "architecture": [*body, *(head if draw(st.integers(0, 4)) else [])] or ["relu"],
        "loss": draw(st.sampled_from([*fitting, *fitting, "hinge"])),
        "optimizer": draw(st.sampled_from(["sgd", {"type": "lion", "ema": 0.9}, {"type": "sgd", "clip_norm": 1.0}])),
        "trainer": draw(trainers),
    }


@pytest.mark.large
@settings(max_examples=60, deadline=None)
@given(written=configurations())
def test_what_is_accepted_trains_and_what_is_not_says_where(
    tmp_path_factory: pytest.TempPathFactory, written: dict[str, Any]
) -> None:
    folder = tmp_path_factory.mktemp("generated")
    path = folder / "c.yaml"
    path.write_text(yaml.safe_dump(written))
    found, error = check_config(path, [])
    if error is None:
        try:
            result = train(load_config(path), run_dir=folder / "run")
        except DivergedError:  # raw columns and a learning rate that nobody tuned: numbers that check cannot know
            return
        assert result["status"] == "completed"
        assert result["steps"] == found["steps_per_epoch"] > 0
    else:
        assert found["errors"]
        assert all(each["file"] == str(path) and each["line"] and each["message"] for each in found["errors"])
        with pytest.raises(BpError):
            train(load_config(path), run_dir=folder / "run")


@pytest.mark.parametrize(
    ("change", "path", "code"),
    [
        ("dataset={source: files, path: nowhere.csv, target: y}", "dataset", 1),
        ("dataset.splits={train: other}", "dataset", 2),
        ("architecture.0.units=1000000000000", "architecture.1", 2),
        ("optimizer={type: sgd, learning_rate: 1e300}", "", 1),
        ("loss=mse", "loss", 2),
        ("optimizer.leaning_rate=1", "optimizer.leaning_rate", 2),
    ],
)
def test_errors_of_every_room_have_the_same_form(change: str, path: str, code: int) -> None:
    found, error = check_config(ROOT / "configs" / "moons.yaml", [change])
    assert error is not None
    assert error.exit_code == code
    assert not found["valid"]
    assert [each["path"] for each in found["errors"]] == [path]
    assert set(found["errors"][0]) == {"file", "line", "column", "path", "message"}


DENSE, RELU = "{type: dense, units: 3}", "{type: dense, units: 3, activation: relu}"


@pytest.mark.parametrize(
    "layers",
    [
        f"{DENSE}, {{residual: [{DENSE}]}}",
        f"{RELU}, {{residual: [{RELU}, {DENSE}]}}, flatten",
        "{parallel: {branches: [[{type: dense, units: 1}], [{type: dense, units: 2}]], merge: concat}}",
        f"{DENSE}, batch_norm, {{type: dropout, rate: 0.1}}",
    ],
)
def test_sums_and_the_like_of_outputs_without_activation_have_none_either(tmp_path: Path, layers: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(f"dataset: {{source: sample, name: iris}}\narchitecture: [{layers}]\nloss: cross_entropy\n")
    (error,) = check_config(path, [])[0]["errors"]
    assert (error["path"], error["line"]) == ("loss", 3)
    assert "got outputs of linear; end with activation: softmax" in error["message"]
    assert check_config(path, ["architecture+=softmax"])[0]["valid"]
    assert check_config(path, ["loss={type: cross_entropy, from_logits: true}"])[0]["valid"]


def test_sums_of_probabilities_are_left_to_their_author(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    branch = "[{type: dense, units: 3, activation: softmax}]"
    path.write_text(
        "dataset: {source: sample, name: iris}\nloss: cross_entropy\n"
        f"architecture: [{{parallel: {{branches: [{branch}, {branch}], merge: average}}}}]\n"
    )
    assert check_config(path, [])[0]["valid"]


def test_memory_is_planned_with_what_the_optimizer_and_the_best_epoch_take() -> None:
    """Adam holds two numbers more for each parameter than gradient descent; the copy of the best weights is one."""
    config = Path(__file__).parents[2] / "configs/moons.yaml"
    found = {name: check_config(config, [f"optimizer={name}"])[0] for name in ("sgd", "adam")}
    network = build.prepare(load_config(config, ["optimizer=sgd"])).network
    network.reserve(found["sgd"]["batch_size"])
    vector = network.store.values.nbytes  # a little more than its parameters
    assert found["adam"]["bytes"] - found["sgd"]["bytes"] == 2 * vector
    assert found["sgd"]["bytes"] >= network.bytes + vector


def test_the_same_as_a_process(bp) -> None:
    wrong = ["check", "configs/moons.yaml", "--set", "dataset={source: files, path: nowhere.csv, target: y}"]
    document, spoken = bp(*wrong, "--json"), bp(*wrong)
    assert document.code == spoken.code == 1
    assert not spoken.out
    assert document.json["errors"][0]["message"] in spoken.err
    assert "Traceback" not in spoken.err


def test_check_is_quick(bp) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert bp("check", "configs/mnist.yaml", unshared=True).code == 0
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < 3, f"{used:.2f} s of CPU time"  # on a quiet machine a third of it


@pytest.mark.large
@pytest.mark.parametrize("task", STARTERS)
def test_a_first_config_trains_at_once(tmp_path: Path, task: str) -> None:
    path = tmp_path / "first.yaml"
    path.write_text(starter(task, "first.yaml"))
    assert check_config(path, [])[1] is None
    assert train(load_config(path, ["trainer.epochs=1"]), run_dir=tmp_path / "run")["status"] == "completed"


def test_gradcheck_of_one_layer_of_a_config(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(
        "dataset: {source: synthetic, name: moons, samples: 20}\nloss: cross_entropy\n"
        "architecture: [{type: dense, units: 3, name: h}, relu, {type: dense, units: 2, activation: softmax}]\n"
    )
    found = config_gradients(path, [], "h")
    assert {each["name"] for each in found["checks"]} == {"h"} and found["passed"]
    assert all(each["worst"].startswith("h.") for each in found["checks"])
    for wrong in ("relu_1", "hh"):
        with pytest.raises(UsageError, match=f"no layer '{wrong}' with trained parameters in .*expected one of"):
            config_gradients(path, [], wrong)


@pytest.mark.parametrize(
    ("loss", "units", "last"), [("cross_entropy", 2, "softmax"), ("bce", 1, "sigmoid"), ("hinge", 1, "tanh")]
)
def test_targets_of_one_class_are_nothing_to_learn(tmp_path: Path, loss: str, units: int, last: str) -> None:
    (tmp_path / "d.csv").write_text("a,y\n1,only\n2,only\n3,only\n")
    (tmp_path / "c.yaml").write_text(
        f"dataset: {{source: files, path: d.csv, target: y, splits: {{train: 100%}}}}\nloss: {loss}\n"
        f"architecture: [{{type: dense, units: {units}, activation: {last}}}]\n"
    )
    with pytest.raises(ConfigError, match="all targets are of one class, only"):
        build.prepare(load_config(tmp_path / "c.yaml"))
