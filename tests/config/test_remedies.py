"""What an error says to do, done: the words are taken out of the message and carried out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from backprop_cli.commands.check import check_config
from backprop_cli.config import load_config
from backprop_cli.errors import ConfigError

BASE = """\
dataset: {source: sample, name: digits, splits: {train: 'train[:80%]', validation: 'train[80%:]'}}
architecture:
  - flatten
  - {type: dense, units: 16, activation: relu, name: hidden}
  - {type: dense, units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
optimizer: {type: adam, beta_1: 0.8}
trainer: {epochs: 1, metrics: [accuracy]}
"""
XOR = ["dataset={source: synthetic, name: xor}", "architecture.-1={type: dense, units: 1, activation: sigmoid}"]
LINEAR = ["dataset={source: synthetic, name: friedman}", "architecture.-1={type: dense, units: 1}"]

#: what is changed, the words with the remedy, the remedy as --set and --unset take it
CASES = [
    (["epochs=5"], r"did you mean '(.+?)'", [r"\1=5"]),
    (["learning_rate=5"], r"did you mean '(.+?)'", [r"\1=5"]),
    (["plugins=p.py"], r"did you mean (\[.+?\])", [r"plugins=\1"]),
    (["name=x-${sed}"], r"did you mean '(.+?)'", [r"name=x-${\1}"]),
    (["name=${env:BP_SURELY_UNSET}"], r"default: (\$\{env:.+?\})", [r"name=\1"]),
    (["architecture.hidden.inputs=flatten_1"], r"did you mean (\[.+?\])", [r"architecture.hidden.inputs=\1"]),
    (["architecture.1={dense: {units: 16}}"], r"did you mean (\{.+?\})", [r"architecture.1=\1"]),
    (["architecture.hiden.units=8"], r"did you mean '(.+?)'", [r"architecture.\1.units=8"]),
    (["architecture.dense_2.units=8"], r"expected one of (\w+)", [r"architecture.\1.name=first"]),
    (["architecture.-1.units=5"], r"end with (\{.+?\})", [r"architecture.-1=\1"]),
    (["architecture.-1.activation=relu"], r"end with activation: (\w+)", [r"architecture.-1.activation=\1"]),
    (["architecture.-1.activation=sigmoid"], r"use (softmax)", [r"architecture.-1.activation=\1"]),
    (["~architecture.-1.activation"], r"end with activation: (\w+)", [r"architecture.-1.activation=\1"]),
    (["~architecture.-1.activation"], r"set (from_logits): (true)", ["~architecture.-1.activation", r"loss.\1=\2"]),
    (["loss.from_logits=true"], r"leave (from_logits) out", [r"loss.\1=true", r"~loss.\1"]),
    (["loss=mse"], r"use (\w+)", [r"loss=\1"]),
    (["loss=mse"], r"add the transform (\{.+?\})", ["loss=mse", r"dataset.transforms+=\1"]),
    (["loss=binary_crossentropy"], r"use (softmax) with (\w+)", [r"architecture.-1.activation=\1", r"loss=\2"]),
    ([*LINEAR, "loss=cross_entropy"], r"use (\w+)", [*LINEAR, r"loss=\1", "trainer.metrics=[]"]),
    ([*XOR[:1], "loss=binary_crossentropy"], r"(\{type: dense.+?\})",
     [*XOR[:1], "loss=binary_crossentropy", r"architecture.-1=\1"]),
    ([*XOR, "architecture.-1.activation=relu", "loss=bce"], r"end with activation: (\w+)",
     [*XOR, "loss=bce", r"architecture.-1.activation=\1"]),
    (["optimizer.type=sgd"], r"--unset (\S+)", [r"~\1", "optimizer.type=sgd"]),
    (["trainer.early_stopping.monitor=val_acc"], r"did you mean '(.+?)'", [r"trainer.early_stopping.monitor=\1"]),
    (["trainer.early_stopping.monitor=validation/f1"], r"add it: --set (\S+)",
     ["trainer.early_stopping.monitor=validation/f1", r"\1"]),
    ([*XOR, "loss=bce", "trainer.early_stopping.monitor=validation/loss"], r"monitor (train/\w+)",
     [*XOR, "loss=bce", r"trainer.early_stopping.monitor=\1"]),
    (["~architecture.0"], r"put `- (\w+)`", [r"architecture.0=\1"]),
    (["dataset=iris"], r"did you mean (\{.+?\})", [r"dataset=\1", "architecture.-1.units=3"]),
    (["dataset=xor"], r"did you mean (\{.+?\})", [r"dataset=\1", "architecture.-1.units=2"]),
    (["dataset.size=32"], r"did you mean (\w+): (\{.+?\})\?", [r"dataset.\1=\2"]),
    (["dataset.batch_size=8"], r"did you mean '(.+?)'", [r"\1=8"]),
    ([*XOR, "loss=bce", "dataset.n_samples=32"], r"did you mean '(.+?)'", [*XOR, "loss=bce", r"dataset.\1=32"]),
]  # fmt: skip


@pytest.mark.parametrize(("change", "words", "remedy"), CASES, ids=[f"{case[0][-1]}-{case[1]}" for case in CASES])
def test_the_remedy_works(tmp_path: Path, change: list[str], words: str, remedy: list[str]) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(BASE)
    (tmp_path / "p.py").touch()
    error = check_config(path, change)[1]
    assert isinstance(error, ConfigError)
    found = re.search(words, str(error))
    assert found, str(error)
    assert check_config(path, [found.expand(each) for each in remedy])[1] is None


@pytest.mark.parametrize("written", ["1.10", "007", "1e3", "2024"])
def test_a_number_where_text_is_wanted_is_quoted_as_it_was_written(tmp_path, written):
    path = tmp_path / "c.yaml"
    path.write_text(f"name: {written}\n{BASE}")
    with pytest.raises(ConfigError, match=rf'did you mean "{re.escape(written)}" \(quoted\)'):
        load_config(path)
    path.write_text(f'name: "{written}"\n{BASE}')
    assert load_config(path).name == written
