"""A whole file to a Config: instances, defaults, places, and everything wrong at once."""

import subprocess
import sys
import time

import pytest

import backprop_cli
from backprop_cli.config import Config, diff, dump, load_config, origins
from backprop_cli.config.spelling import flow
from backprop_cli.engine.layers.dense import Dense
from backprop_cli.errors import ConfigError

GOOD = """\
dataset: {source: sample, name: mnist5k, splits: {train: "train[:80%]"}}
architecture:
  - flatten
  - {type: dense, units: 128, activation: relu}
  - residual: [{type: dense, units: 128}, relu]
    name: block
  - parallel: {branches: [[linear], [relu, tanh]], merge: add}
  - repeat: {times: 2, layers: [{type: dropout, rate: 0.2}]}
  - {type: dense, units: 10, activation: softmax, name: out, inputs: [block]}
loss: sparse_categorical_crossentropy
optimizer: {learning_rate: 1e-2, schedule: cosine, clip_norm: 1}
parameters: {dense_1.W: [[1, 2], [3, 4.5]]}
trainer: {epochs: 2, metrics: [accuracy]}
"""


@pytest.fixture
def config(tmp_path):
    """Writes a config file; calling it loads."""

    def write(text=GOOD, *overrides, name="good.yaml"):
        path = tmp_path / name
        path.write_text(text)
        return load_config(path, overrides)

    return write


def problems_of(load, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        load(*arguments, **options)
    return caught.value.problems


def test_a_config_holds_instances_of_the_registered_classes(config):
    cfg = config()
    assert isinstance(cfg, Config) and (cfg.name, cfg.seed, cfg.dtype) == ("good", 0, "float32")
    assert isinstance(cfg.architecture[1], Dense) and cfg.architecture[1].units == 128
    assert cfg.architecture[1].activation.type_name == "relu"
    assert cfg.architecture[1].kernel_initializer.type_name == "glorot_uniform"
    assert cfg.architecture[2].layers[0].units == 128 and cfg.architecture[2].name == "block"
    assert [len(branch) for branch in cfg.architecture[3].branches] == [1, 2]
    assert cfg.architecture[4].times == 2
    assert cfg.optimizer.type_name == "adam" and cfg.optimizer.clip_norm == 1.0
    assert cfg.parameters == {"dense_1.W": [[1, 2], [3, 4.5]]}


def test_instances_lead_back_to_their_lines(config):
    cfg = config()
    inner = cfg.architecture[2].layers[0]
    problem = cfg.problem(inner, "does not fit")
    assert str(problem) == f"{cfg.path}:5:16: architecture.2.residual.layers.0: does not fit"
    assert cfg.mark(("architecture", 1, "units")).line == 4
    assert cfg.mark(("trainer", "batch_size")).line == 13


def test_overrides_change_what_is_loaded(config):
    cfg = config(GOOD, "architecture.out.units=7", "optimizer=sgd", "seed=3", "~parameters")
    assert (cfg.architecture[5].units, cfg.optimizer.type_name, cfg.seed, cfg.parameters) == (7, "sgd", 3, {})
    assert cfg.overrides[0] == "architecture.out.units=7"


def test_the_dump_loads_to_an_equal_config(config):
    cfg = config()
    text = dump(cfg)
    assert config(text, name="other.yaml") == cfg
    assert dump(config(text, name="other.yaml")) == text


def test_two_configs_differ_where_they_differ(config):
    changes = diff(config(), config(GOOD, "optimizer.clip_norm=2", "architecture.3.parallel.merge=concat"))
    assert ("optimizer.clip_norm", 1.0, 2.0) in changes
    assert ("architecture.3.parallel.merge.type", "add", "concat") in changes
    assert not diff(config(), config())


def test_every_value_says_where_it_comes_from(config):
    cfg = config(GOOD, "trainer.epochs=9")
    found = {path: (value, place) for path, value, place in origins(cfg)}
    assert found["trainer.epochs"] == (9, "--set trainer.epochs=9")
    assert found["optimizer.clip_norm"] == (1.0, f"{cfg.path}:11:52")
    assert found["architecture.0.type"] == ("flatten", f"{cfg.path}:3:5")
    assert found["seed"] == (0, "default")
    assert found["trainer.metrics.0.type"] == ("accuracy", f"{cfg.path}:13:32")


def test_all_problems_come_at_once_in_reading_order(config):
    text = (
        GOOD.replace("units: 128, a", "unit: 0, a").replace("[relu, tanh]", "[relo, tanh]").replace("epochs", "epoch")
    )
    found = problems_of(config, text, "seed=x")
    assert [problem.path for problem in found] == [
        "architecture.1.unit",
        "architecture.3.parallel.branches.1.0.type",
        "trainer.epoch",
        "seed",
    ]
    assert [problem.line for problem in found] == [4, 7, 13, None]


def test_stale_options_name_the_override_that_made_them_so(config):
    text = GOOD.replace("optimizer: {", "optimizer: {type: sgd, momentum: 0.9, ")
    (problem,) = problems_of(config, text, "optimizer.type=adam")
    assert problem.line == 11
    assert "'momentum' is no option of optimizer adam, which --set optimizer.type=adam asks for" in problem.message
    assert problem.message.endswith("--unset optimizer.momentum")
    config(text, "optimizer.type=adam", "~optimizer.momentum")


def test_a_config_loads_in_a_few_milliseconds_once_warm(config):
    config()
    start = time.process_time()
    config()
    assert time.process_time() - start < 0.05


@pytest.mark.process
def test_importing_the_package_imports_neither_numpy_nor_pydantic():
    code = "import sys, backprop_cli; print({'numpy', 'pydantic', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert backprop_cli.load_config is load_config


@pytest.mark.parametrize("name", ["3", "1e-3", "on", "true", "a: b", "[x]", "a b", "${seed}", "~"])
def test_a_name_from_the_command_line_stays_text(config, name):
    assert config(GOOD, f"name={flow(name)}").name == name
