"""A layer, an activation, a loss and a metric from a plugin are diagnosed, traced and watched as built-in ones are."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from backprop_cli import build, load_config, train
from backprop_cli.commands.evaluation import evaluate_run
from backprop_cli.errors import ConfigError
from backprop_cli.insight.doctor.edits import Anatomy, Patient
from backprop_cli.insight.doctor.examine import examine_config
from backprop_cli.insight.doctor.verdicts import Limits
from backprop_cli.insight.trace.trace import trace
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.training.measures import outputs

PLUGIN = '''
import math

import numpy as np

from backprop_cli.plugins import Activation, Array, Elementwise, Layer, Metric, activation, layer, loss, metric, slot


@activation("steps")
class Steps(Activation):
    """y = clip(x, 0, 4)          dx = dy where 0 < y < 4"""

    in_place = True
    lowest, highest = 0.0, 4.0
    initializer = "lecun_normal"
    examples = [{"options": {}, "inputs": [(4,)]}]

    def flat(self, y):
        return (y <= 0) | (y >= 4)

    def forward(self, x, y, training):
        np.clip(x, 0, 4, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(dy, (y > 0) & (y < 4), out=dx)


@activation("off")
class Off(Activation):
    """y = 2 max(0, x)          dx = 2 dy where y > 0"""

    in_place = True
    dies = True
    lowest = 0.0

    def forward(self, x, y, training):
        np.maximum(x, 0, out=y)
        np.multiply(y, 2, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.multiply(dy, 2 * (y > 0), out=dx)


@layer("unit_scale")
class UnitScale(Layer):
    """y = x / 30          dx = dy / 30"""

    normalizes = True

    def build(self, *shapes):
        return shapes[0]

    def forward(self, x, y, training):
        np.divide(x, 30, out=y)

    def backward(self, x, y, dy, dx):
        if dx is not None:
            np.divide(dy, 30, out=dx)


@loss("rate")
class Rate(Elementwise):
    """L = mean of y − t log(y + 1)"""

    output_range = target_range = (0.0, math.inf)
    ends_with = "softplus"

    def values(self, y, t, out):
        np.subtract(y, t * np.log(y + 1), out=out)

    def slopes(self, y, t, out):
        np.subtract(1, t / (y + 1), out=out)

    def chance(self, target):
        return 7.0


@metric("near")
class Near(Metric):
    """The share of outputs within 1 of the target."""

    maximize = True
    measures = "values"

    @property
    def key(self):
        return "near_1"

    def update(self, y, target):
        self.totals += np.sum(np.abs(y - target.reshape(y.shape)) < 1), y.size
'''
CONFIG = """
plugins: [mine.py]
dataset: {source: synthetic, name: friedman, samples: 60, splits: {train: "train[:80%]", validation: "train[80%:]"}}
architecture:
  - {type: dense, units: 6, activation: steps, kernel_initializer: zeros, bias_initializer: {type: constant, value: 9}}
  - {type: dense, units: 5, activation: off, kernel_initializer: zeros, bias_initializer: {type: constant, value: -1}}
  - {type: dense, units: 1, activation: softplus}
loss: rate
trainer: {epochs: 2, metrics: [near], early_stopping: {monitor: validation/near_1}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "mine.py").write_text(PLUGIN)
    (tmp_path / "c.yaml").write_text(CONFIG)
    return tmp_path / "c.yaml"


def test_an_activation_says_where_it_is_flat_or_dead_and_which_weights_suit_it(config: Path) -> None:
    prepared = build.prepare(load_config(config))
    x, _ = next(iter(prepared.batches("train").epoch(0)))
    prepared.network.forward(x)
    seen = outputs(prepared.network)
    assert seen["dense_1"]["saturated"] == 1
    assert seen["dense_2"]["dead"] == 1
    anatomy = Anatomy(Patient(config), load_config(config), prepared.network)
    assert anatomy.initializer(prepared.network.node("dense_1")) == "lecun_normal"
    assert anatomy.initializer(prepared.network.node("dense_2")) == "glorot_uniform"


def test_the_doctor_finds_dead_units_and_knows_the_chance_level_of_the_loss(config: Path) -> None:
    found = examine_config(config, limits=Limits(steps=20))
    assert {verdict.disease for verdict in found.verdicts} & {"dead_relu", "wrong_init"}
    assert load_config(config).loss.chance(np.zeros(3)) == 7


def test_a_loss_says_what_it_takes(config: Path) -> None:
    for change, words in (
        ("architecture.-1.activation=tanh", "takes outputs from 0 to inf, got outputs of tanh.*activation: softplus"),
        ("architecture.-1.activation=null", "rate takes outputs from 0 to inf, got outputs of linear"),
        ("dataset.name=linear", "rate takes targets from 0 to inf"),
    ):
        with pytest.raises(ConfigError, match=words):
            build.prepare(load_config(config, [change]))


def test_a_metric_is_watched_under_its_own_key_and_the_way_it_says(config: Path) -> None:
    result = train(load_config(config), run_dir=config.parent / "run")
    rows = [json.loads(line) for line in (config.parent / "run" / "metrics.jsonl").read_text().splitlines()]
    assert result["best"]["validation/near_1"] == max(row["validation/near_1"] for row in rows)
    assert 0 <= evaluate_run(RunDirectory(config.parent / "run"))["metrics"]["near_1"] <= 1
    classes = [
        "dataset.name=moons",
        "loss=cross_entropy",
        "architecture.-1={type: dense, units: 2, activation: softmax}",
    ]
    moons = load_config(config, classes)
    with pytest.raises(ConfigError, match="the metric near compares outputs"):
        build.prepare(moons)


def test_a_trace_shows_its_equations_and_right_gradients(config: Path) -> None:
    found = trace(load_config(config, ["architecture.0.kernel_initializer=he_normal"]))
    assert "L = mean of y − t log(y + 1)" in found.loss_symbols
    assert found.worst < 1e-6


def test_a_layer_that_normalizes_makes_scaling_needless(config: Path) -> None:
    text = config.read_text().replace("architecture:\n", "architecture:\n  - unit_scale\n")
    config.write_text(text)
    found = examine_config(config, limits=Limits(steps=5))
    assert "unscaled_inputs" not in {verdict.disease for verdict in found.verdicts}
