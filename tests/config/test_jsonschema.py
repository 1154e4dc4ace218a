"""The JSON Schema agrees with the loader: on what is right, and on all broken configs that a schema can see."""

import contextlib
from pathlib import Path

import jsonschema
import pytest
import yaml

from backprop_cli import registry
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.marked import plain
from backprop_cli.config.starter import TASKS, starter
from backprop_cli.config.text import parse
from backprop_cli.errors import ConfigError

DATA = yaml.safe_load(Path(__file__).with_name("broken.yaml").read_text())


@pytest.fixture(scope="module")
def validator():
    made = schema()
    jsonschema.Draft7Validator.check_schema(made)
    return jsonschema.Draft7Validator(made)


def data(text):
    return plain(parse(text, "f.yaml", []))


@pytest.mark.parametrize("text", [DATA["base"], *map(starter, TASKS)], ids=["base", *TASKS])
def test_right_configs_are_valid(validator, text):
    assert [error.message for error in validator.iter_errors(data(text))] == []


@pytest.mark.parametrize(
    "change",
    [
        {"optimizer": {"learning_rate": "${env:LR,0.1}"}},
        {"optimizer": "${env:OPTIMIZER}"},
        {"dataset": {"source": "synthetic", "name": "moons", "noise": 0.2, "splits": {"train": "train"}}},
        {"architecture": [{"residual": ["relu"], "name": "a"}, {"repeat": {"times": 2, "layers": ["relu"]}}]},
        {"architecture": [{"parallel": [["relu"], ["tanh"]]}]},
        {"trainer": None},
        {"parameters": {"dense_1.W": [[1, 2.5]]}},
    ],
)
def test_other_forms_are_valid(validator, change):
    assert [error.message for error in validator.iter_errors({**data(DATA["base"]), **change})] == []


def test_a_config_that_extends_another_needs_nothing_else(validator):
    assert validator.is_valid({"extends": "base.yaml"})
    assert not validator.is_valid({"seed": 1})


@pytest.mark.long
@pytest.mark.large
def test_broken_configs_are_invalid_as_far_as_a_schema_can_see(validator):
    lines = DATA["base"].splitlines()
    for case in DATA["cases"]:
        text = "\n".join([*lines[: case["at"] - 1], case["put"], *lines[case["at"] :]])
        with contextlib.suppress(ConfigError):
            assert validator.is_valid(data(text)) == bool(case.get("beyond")), case["put"]


def test_every_registered_class_is_in_it():
    definitions = schema()["definitions"]
    for kind in ("layer", "loss", "optimizer", "schedule", "initializer", "metric", "transform", "synthetic", "sugar"):
        for name, cls in registry.classes(kind).items():
            made = definitions[f"{kind}.{name}"]
            options = set(registry.options(cls)) - ({"name"} if kind == "synthetic" else set())
            assert kind == "sugar" or options <= set(made["properties"]), name
            assert made["description"]
