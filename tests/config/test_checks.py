"""Names that must agree, beyond what the broken configs already show."""

import pytest

from backprop_cli import build
from backprop_cli.config import load_config
from backprop_cli.errors import ConfigError

TEXT = """\
dataset: {{source: synthetic, name: moons, samples: 20{splits}}}
architecture:
  - {{type: dense, units: 4, name: first}}
  - {{type: dense, units: 4}}
  - {{type: dense, units: 4, inputs: [first]}}
  - {{type: add, inputs: [{inputs}]}}
  - {{type: dense, units: 2, activation: softmax}}
loss: sparse_categorical_crossentropy
trainer: {{early_stopping: {{monitor: {monitor}}}}}
"""


@pytest.fixture
def config(tmp_path):
    def write(splits="", inputs="dense_1, dense_2", monitor="train/loss"):
        path = tmp_path / "c.yaml"
        path.write_text(TEXT.format(splits=splits, inputs=inputs, monitor=monitor))
        return load_config(path)

    return write


def test_layers_without_a_name_can_be_named_as_the_builder_does(config):
    nodes = [node.name for node in build.prepare(config()).network.nodes]
    assert nodes == ["first", "dense_1", "dense_2", "add_1", "dense_3"]


def test_a_name_that_the_builder_gives_nothing_is_refused(config):
    with pytest.raises(ConfigError, match=r"c\.yaml:6:\d+: .*there is no layer 'dense_4'"):
        config(inputs="dense_1, dense_4")


@pytest.mark.parametrize("splits", ["", ", splits: {train: 'train[:50%]', test: 'train[50%:]'}"])
def test_a_monitor_needs_its_split(config, splits):
    with pytest.raises(
        ConfigError, match=r"c\.yaml:9:\d+: trainer.early_stopping.monitor: .* needs a validation split"
    ):
        build.prepare(config(splits, monitor="validation/loss"))


def test_a_monitor_with_its_split_is_taken(config):
    assert build.prepare(
        config(", splits: {validation: 'train[50%:]', train: 'train[:50%]'}", monitor="validation/loss")
    )


def test_a_reference_that_leads_nowhere_is_one_problem(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text(TEXT.format(splits="", inputs="dense_1", monitor="train/loss") + "seed: ${sed}\ndtype: float16\n")
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    assert [(each.line, each.path) for each in caught.value.problems] == [(10, "seed"), (11, "dtype")]


def test_a_key_given_beside_the_new_class_is_not_left_over(config, tmp_path):
    config()
    path = tmp_path / "c.yaml"
    with pytest.raises(ConfigError, match="unknown key 'beta_1' of optimizer sgd; expected one of"):
        load_config(path, ["optimizer.type=sgd", "optimizer.beta_1=0.5"])


@pytest.mark.parametrize(
    "metrics", ["[accuracy, acc]", "[f1, {type: f1, average: weighted}, f1]", "[top_k, {type: top_k, k: 5}]"]
)
def test_two_metrics_of_one_name_are_refused(config, tmp_path, metrics):
    config()
    with pytest.raises(ConfigError, match=r"trainer\.metrics\.\d: .* is there already, as metric 0; remove one"):
        load_config(tmp_path / "c.yaml", [f"trainer.metrics={metrics}"])


def test_a_metric_may_not_be_called_loss(config, tmp_path):
    (tmp_path / "mine.py").write_text(
        "from backprop_cli.engine.metrics.base import Metric, metric\n"
        "@metric('loss_like')\nclass Mine(Metric):\n    'One.'\n    key = 'loss'\n"
    )
    config()
    with pytest.raises(ConfigError, match="'loss' is the column of the loss"):
        load_config(tmp_path / "c.yaml", [f"plugins=[{tmp_path / 'mine.py'}]", "trainer.metrics=[loss_like]"])
