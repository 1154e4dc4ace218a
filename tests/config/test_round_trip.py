"""Everything registered, through YAML and back: what the dump writes loads to an equal Config."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backprop_cli import registry
from backprop_cli.config import diff, dump, load_config
from backprop_cli.config.jsonschema import schema
from backprop_cli.config.leaves import accepts
from backprop_cli.config.marked import plain
from backprop_cli.config.spelling import example
from backprop_cli.config.starter import TASKS, starter
from backprop_cli.config.text import parse
from backprop_cli.config.types import option_types
from backprop_cli.config.words import describe
from backprop_cli.errors import ConfigError

BASE = {
    "dataset": {"source": "sample", "name": "iris"},
    "architecture": [{"type": "dense", "units": 3}],
    "loss": "mse",
}


TOGETHER = {"piecewise": {"boundaries": [1], "values": [1.0, 0.1]}}  # options that must agree with each other


def round_trip(folder, config):
    """Load plain data as YAML, dump it elsewhere, load that; the two must be equal."""
    first, second = folder / "first.yaml", folder / "elsewhere" / "config.yaml"
    second.parent.mkdir(exist_ok=True)
    first.write_text(json.dumps({"name": "trip", **config}, ensure_ascii=False))
    cfg = load_config(first)
    second.write_text(dump(cfg))
    again = load_config(second)
    assert again == cfg
    assert not diff(cfg, again)
    assert dump(again) == dump(cfg)
    return cfg


def required(cls):
    """The options a class cannot do without, each with a value that is suggested for it."""
    missing = dataclasses.MISSING
    needed = [
        name for name, field in registry.options(cls).items() if field.default is field.default_factory is missing
    ]
    return {key: value for name in needed for key, value in _read(example(cls, name)).items()} | TOGETHER.get(
        cls.type_name, {}
    )


def _read(text):
    return plain(parse(text, "example", []))


def placed(kind, name, cls):
    """A config in which an instance of the class stands somewhere."""
    spec = {"type": name, **(cls.examples[0]["options"] if kind == "layer" else required(cls))}
    source = {"source": "sample", "name": "iris"}
    return {
        "layer": {"architecture": [spec]},
        "activation": {"architecture": [{"type": "dense", "units": 1, "activation": spec}]},
        "initializer": {"architecture": [{"type": "dense", "units": 1, "kernel_initializer": spec}]},
        "loss": {"loss": spec},
        "optimizer": {"optimizer": spec},
        "schedule": {"optimizer": {"type": "sgd", "schedule": spec}},
        "metric": {"trainer": {"metrics": [spec]}},
        "transform": {"dataset": {**source, "transforms": [spec]}},
        "synthetic": {"dataset": {**required(cls), "source": "synthetic", "name": name}},
    }[kind]


CLASSES = [
    (kind, name, cls)
    for kind in (
        "layer", "activation", "initializer", "loss", "optimizer", "schedule", "metric", "transform", "synthetic"
    )
    for name, cls in registry.classes(kind).items()
]  # fmt: skip


@pytest.mark.parametrize(("kind", "name", "cls"), CLASSES, ids=[f"{kind}-{name}" for kind, name, _ in CLASSES])
def test_every_class_survives(kind, name, cls, tmp_path):
    round_trip(tmp_path, BASE | placed(kind, name, cls))


@pytest.mark.parametrize("task", TASKS)
def test_the_starters_survive(task, tmp_path):
    path = tmp_path / "start.yaml"
    path.write_text(starter(task))
    cfg = load_config(path)
    (tmp_path / "again.yaml").write_text(dump(cfg))
    assert load_config(tmp_path / "again.yaml") == cfg


PRINTABLE = st.characters(
    codec="utf-8", exclude_categories=["Cc"], exclude_characters="\ufffe\uffff"
) | st.sampled_from("\n\t")
VALUES = st.one_of(
    st.booleans(),
    st.integers(-3, 100),
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(0, 1),
    st.text(max_size=8),
    st.sampled_from(
        ["1e-3", "on", "null", "~", "${x}", "$${", "a: b", "- x", "#", "'", '"', "train[:80%]", "é", "\u2028"]
    ),
    st.lists(st.integers(1, 5), max_size=3),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_accepted_values_survive(tmp_path, data):
    """Random options of a random class, as far as their types accept them."""
    kind, name, cls = data.draw(st.sampled_from([each for each in CLASSES if each[0] in ("layer", "optimizer")]))
    config = placed(kind, name, cls)
    spec = config["architecture"][0] if kind == "layer" else config["optimizer"]
    for option, of in option_types(cls).items():
        if not of.structural and option not in ("inputs", "shared", "name"):
            value = data.draw(VALUES)
            if accepts(of, value):
                spec[option] = value
    written = json.loads(json.dumps(config).replace("${", "$${"))
    path = tmp_path / "try.yaml"
    path.write_text(json.dumps({**BASE, **written}))
    try:
        load_config(path)
    except ConfigError:  # options that a class refuses together
        return
    round_trip(tmp_path, BASE | written)


@given(text=st.text(PRINTABLE, max_size=20))
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_survives(tmp_path, text):
    """As a key and as a value of a mapping of texts."""
    escaped = text.replace("${", "$${")
    cfg = round_trip(tmp_path, BASE | {"dataset": {**BASE["dataset"], "splits": {"train": escaped}}})
    assert cfg.dataset.splits == {"train": text}


def test_relative_paths_still_lead_to_their_files_from_elsewhere(tmp_path, monkeypatch):
    (tmp_path / "raw").mkdir()
    (tmp_path / "mine.py").write_text(
        "from backprop_cli.engine.optimizers.sgd import SGD\n"
        "from backprop_cli.engine.optimizers.base import optimizer\n"
        "@optimizer('mine')\nclass Mine(SGD):\n    '''w stays.'''\n    extra: int = 3\n"
    )
    monkeypatch.chdir(Path(tmp_path.anchor))
    cfg = round_trip(
        tmp_path,
        BASE
        | {
            "dataset": {"source": "tfds", "name": "mnist", "manual_dir": "raw"},
            "plugins": ["mine.py"],
            "optimizer": {"type": "mine", "extra": 4},
        },
    )
    assert cfg.dataset.manual_dir == tmp_path / "raw"
    assert cfg.plugins == [tmp_path / "mine.py"]
    assert cfg.optimizer.extra == 4


def test_hints_of_types_are_all_understood():
    """No registered option has a type that the walk, the leaves or the schema do not know."""
    assert schema()
    for _, _, cls in CLASSES:
        for name in registry.options(cls):
            assert describe(option_types(cls)[name])
