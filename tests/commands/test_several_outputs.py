"""A network with two inputs and two outputs, each output with a loss, a weight and metrics of its own."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backprop_cli import build, load, load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import ConfigError
from backprop_cli.registry import make

CONFIG = """
name: several
dataset:
  source: files
  path: shop.csv
  target: [kind, price]
  splits: {train: "train[:80%]", validation: "train[80%:]"}
architecture:
  - {type: select, at: [0, 1], inputs: [input], name: first}
  - {type: dense, units: 8, activation: tanh, name: left}
  - {type: select, at: [1, 2], inputs: [input], name: second}
  - {type: dense, units: 8, activation: tanh, name: right}
  - {type: concat, inputs: [left, right], name: body}
  - {type: dense, units: 3, name: kind}
  - {type: dense, units: 1, inputs: [body], name: price}
  - {type: concat, inputs: [kind, price]}
loss:
  type: combined
  parts:
    kind: {loss: {type: cross_entropy, from_logits: true}, targets: [0]}
    price: {loss: mse, targets: [1], weight: 0.1}
optimizer: {type: adam, learning_rate: 0.01}
trainer:
  epochs: 30
  batch_size: 32
  metrics: [{type: of_output, output: kind, metric: accuracy}, {type: of_output, output: price, metric: mae}]
"""


def data() -> tuple[Any, Any, Any]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2)).round(4)
    kind = (x[:, 0] > 0).astype(int) + (x[:, 1] > 0.5)
    return x, kind, (x @ [2, -1] + 0.1 * rng.normal(size=400)).round(4)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("several")
    lines = [f"{a},{b},{kind},{price}" for (a, b), kind, price in zip(*data(), strict=True)]
    (path / "shop.csv").write_text("a,b,kind,price\n" + "\n".join(lines) + "\n")
    (path / "c.yaml").write_text(CONFIG)
    train(load_config(path / "c.yaml"), run_dir=path / "run")
    return path


def test_the_loss_is_the_weighted_sum_of_its_parts(folder: Path) -> None:
    prepared = build.prepare(load_config(folder / "c.yaml"))
    network = prepared.network
    x, y = next(iter(prepared.batches("train").epoch(1)))
    z = network.forward(x)
    kind = make("loss", {"type": "cross_entropy", "from_logits": True})
    own, ids = np.ascontiguousarray(z[:, :3]), y[:, 0].astype(np.int64)
    expected = kind.forward(own, own, ids, None) + 0.1 * np.mean((z[:, 3] - y[:, 1]) ** 2)
    assert network.loss(z, y) == pytest.approx(expected, rel=1e-5)
    weight = np.linspace(0, 2, len(x)).astype(np.float32)
    expected = kind.forward(own, own, ids, weight) + 0.1 * np.mean(weight * (z[:, 3] - y[:, 1]) ** 2)
    assert network.loss(z, y, weight) == pytest.approx(expected, rel=1e-5)


def test_both_outputs_are_learnt_and_measured(folder: Path) -> None:
    row = json.loads((folder / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    rows = build.prepare(load_config(folder / "c.yaml")).dataset.splits["validation"]
    outputs, (kind, price) = load(str(folder / "run"), checkpoint="last").predict(rows.x), rows.y.T
    assert row["validation/kind_accuracy"] == pytest.approx(np.mean(outputs[:, :3].argmax(axis=1) == kind))
    assert row["validation/price_mae"] == pytest.approx(np.abs(outputs[:, 3] - price).mean(), rel=1e-4)
    assert row["validation/kind_accuracy"] > 0.85
    assert row["validation/price_mae"] < 0.5


@pytest.mark.parametrize(
    "words",
    [
        "check c.yaml",
        "gradcheck c.yaml",
        "trace c.yaml",
        "doctor c.yaml",
        "eval run",
        "eval run --data shop.csv",
        "report run -o r.html",
        "explain run",
        "export run --to onnx -o m.onnx",
        "export run --to numpy -o m.py",
    ],
)
def test_every_command_takes_it(folder: Path, bp: Any, words: str) -> None:
    files = {"c.yaml", "run", "shop.csv"}
    done = bp(*(folder / word if word in files else word for word in words.split()))
    assert done.code == 0, done.err


def test_predictions_are_named_after_the_outputs(folder: Path, bp: Any) -> None:
    done = bp("predict", folder / "run", folder / "shop.csv")
    assert done.out.splitlines()[0] == "row,kind_0,kind_1,kind_2,price"


def test_what_compares_one_answer_is_refused(folder: Path, bp: Any) -> None:
    for words, told in (("eval --baseline", "this model has several"), ("plot --kind regression", "no numbers beside")):
        done = bp(words.split()[0], folder / "run", *words.split()[1:])
        assert done.code == 2
        assert told in done.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("loss.parts.kind.targets=[7]", "kind: there is no target 7; there are 2, counted from 0"),
        ("~loss.parts.kind", "has parts for price; expected one for each layer .* kind, price"),
        ("loss.parts.kind.loss=mse", r"kind: mean_squared_error compares outputs of shape \(3,\)"),
        ("loss.parts.kind.loss=cross_entropy", "kind: .* takes probabilities that sum to one"),
        ("trainer.metrics.0.output=kin", "no output 'kin'; .*did you mean 'kind'"),
        ("trainer.metrics=[mae]", "the metric mae compares outputs"),
        ("architecture.7=relu", "nothing reads the output of kind"),
        ("loss=mse", "the loss has no parts|compares outputs of shape"),
    ],
)
def test_what_does_not_fit_says_so(folder: Path, change: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        build.prepare(load_config(folder / "c.yaml", [change]))
