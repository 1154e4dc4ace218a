"""`{shared: NAME}`: a layer once more, with its options and its parameters."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import numpy as np
import pytest
import yaml

from backprop_cli import build, config, load_config
from backprop_cli.config.jsonschema import schema
from backprop_cli.errors import ConfigError

CONFIG = """
dtype: float64
dataset: {source: sample, name: iris}
architecture:
  - {type: dense, units: 4, name: a, activation: tanh, kernel_initializer: he_normal}
  - {shared: a}
  - {shared: a, name: c}
  - {type: dense, units: 3, activation: softmax}
loss: cross_entropy
"""


@pytest.mark.large
def test_it_is_the_same_layer_again(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    cfg = load_config(tmp_path / "c.yaml")
    network = build.network(cfg)
    assert [(node.name, node.layer.type_name) for node in network.nodes][1:3] == [("dense_1", "dense"), ("c", "dense")]
    assert set(network.parameters) == {"a.W", "a.b", "dense_2.W", "dense_2.b"}
    (tmp_path / "again.yaml").write_text(config.dump(cfg))
    assert load_config(tmp_path / "again.yaml").architecture == cfg.architecture
    jsonschema.validate(yaml.safe_load(CONFIG), schema())


def test_its_gradient_is_the_sum_over_its_places(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)
    network = build.network(load_config(tmp_path / "c.yaml"))
    x, target = np.random.default_rng(0).normal(size=(6, 4)), np.arange(6) % 3
    network.loss(network.forward(x), target)
    network.backward()
    w, step = network.parameters["a.W"], 1e-5
    for index in np.ndindex(w.shape):
        w[index] += step
        up = network.loss(network.forward(x), target)
        w[index] -= 2 * step
        difference = (up - network.loss(network.forward(x), target)) / (2 * step)
        w[index] += step
        assert network.gradients["a.W"][index] == pytest.approx(difference, rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("wrong", ["{shared: nobody}", "{shared: [a]}", "{shared: null}"])
def test_an_unknown_one_is_refused_at_its_line(tmp_path: Path, wrong: str) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.replace("{shared: a}", wrong))
    with pytest.raises(ConfigError, match=r"c\.yaml:6:5: architecture\.1: missing key 'type'"):
        load_config(tmp_path / "c.yaml")
