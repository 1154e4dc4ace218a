"""`--set`: what it changes, and what it says when it cannot."""

import pytest

from backprop_cli.config.marked import plain
from backprop_cli.config.overrides import apply
from backprop_cli.config.text import parse

BASE = """
optimizer: {type: sgd, momentum: 0.9}
loss: mse
dataset: sample
architecture:
  - flatten
  - {type: dense, units: 3, name: hidden}
  - {type: dense, units: 4}
  - residual: [relu, {type: dense, units: 5}]
  - {type: dense, units: 6}
trainer: {metrics: [accuracy]}
"""


def applied(*overrides):
    problems = []
    root = parse(BASE, "f.yaml", problems)
    apply(root, overrides, problems)
    return plain(root), problems


@pytest.mark.parametrize(
    ("override", "path", "value"),
    [
        ("optimizer.momentum=0.5", ("optimizer", "momentum"), 0.5),
        ("optimizer.learning_rate=1e-3", ("optimizer", "learning_rate"), 0.001),
        ("optimizer.schedule.type=cosine", ("optimizer", "schedule", "type"), "cosine"),
        ("optimizer=adam", ("optimizer",), "adam"),
        ("optimizer={type: adam, beta_1: 0.8}", ("optimizer",), {"type": "adam", "beta_1": 0.8}),
        ("name=a=b=c", ("name",), "a=b=c"),
        ("name=", ("name",), None),
        ("name=on", ("name",), "on"),
        *((f"name={sign}", ("name",), sign) for sign in "|>#-?:&*!%@`;,."),
        ("name=~", ("name",), None),
        ("architecture.1.units=7", ("architecture", 1, "units"), 7),
        ("architecture.-3.units=7", ("architecture", 2, "units"), 7),
        ("architecture.hidden.units=7", ("architecture", 1, "units"), 7),
        ("architecture.dense_1.units=7", ("architecture", 2, "units"), 7),
        ("architecture.3.residual.1.units=7", ("architecture", 3, "residual", 1, "units"), 7),
        ("architecture.3.residual.layers.1.units=7", ("architecture", 3, "residual", 1, "units"), 7),
        ("architecture.0.name=flat", ("architecture", 0), {"type": "flatten", "name": "flat"}),
        ("architecture.0=relu", ("architecture", 0), "relu"),
        ("architecture+={type: relu}", ("architecture", 5), {"type": "relu"}),
        ("architecture.3.residual+=tanh", ("architecture", 3, "residual", 2), "tanh"),
        ("trainer.metrics+=f1", ("trainer", "metrics"), ["accuracy", "f1"]),
        ("trainer.metrics+=[f1, mae]", ("trainer", "metrics"), ["accuracy", "f1", "mae"]),
        ("plugins+=a.py", ("plugins",), ["a.py"]),
        ("loss.label_smoothing=0.1", ("loss",), {"type": "mse", "label_smoothing": 0.1}),
        ("dataset.name=iris", ("dataset",), {"source": "sample", "name": "iris"}),
        ("dataset.splits.train=train[:80%]", ("dataset", "splits"), {"train": "train[:80%]"}),
        ("parameters.dense_1.W=[[1, 2]]", ("parameters",), {"dense_1.W": [[1, 2]]}),
        ("~optimizer.momentum", ("optimizer",), {"type": "sgd"}),
        ("~architecture.0", ("architecture", 0, "name"), "hidden"),
        ("~loss", (), {}),
    ],
)  # fmt: skip
def test_what_is_set(override, path, value):
    data, problems = applied(override)
    assert not problems
    if override == "~loss":
        assert "loss" not in data
        return
    for key in path:
        data = data[key]
    assert data == value


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("optimizer.momentum", "expected key=value"),
        ("=3", "expected a dotted path"),
        ("optimizer..momentum=3", "expected a dotted path"),
        (".".join("a" * 100) + "=1", "expected a dotted path"),
        ("optimizer.momentum.x=3", "holds 0.9; expected a mapping"),
        ("architecture.9.units=3", "there are 5 items, 0 to 4"),
        ("architecture." + "9" * 5000 + "=3", "there are 5 items"),
        ("architecture.dense_2.units=3", "no item of architecture has this name"),
        ("architecture.hiden.units=3", "did you mean 'hidden'?"),
        ("optimizer+=3", "is not a list"),
        ("~optimizer.momentun", "did you mean 'momentum'?"),
        ("~nothing.here", "nothing to remove"),
        ("branches.0.x=3", "no such list"),
        ("name=[1", "not YAML"),
        ("name=!!python/name:os.system x", "tag"),
        ("name={a: 1, a: 2}", "duplicate key 'a'"),
        ("seed=" + "7" * 5000, "5000 digits"),
        ("name=" + "[" * 10_000, "deep"),
        ("extends=other.yaml", "edit the file"),
    ],
)
def test_what_is_refused(override, words):
    data, problems = applied(override)
    (problem,) = problems
    assert words in problem.message
    assert problem.file == f"--set {override}" or len(problem.file) == len(f"--set {override:.100}")
    assert data == applied()[0]


def test_overrides_come_in_order():
    data, _ = applied("optimizer=adam", "optimizer.beta_1=0.5", "seed=1", "seed=2")
    assert data["optimizer"] == {"type": "adam", "beta_1": 0.5}
    assert data["seed"] == 2
