"""`bp predict --generate`: a text goes on as the model has learnt it to."""

from __future__ import annotations

from pathlib import Path

import pytest

from backprop_cli import load
from backprop_cli.commands.generate import generate
from backprop_cli.commands.train import train
from backprop_cli.config import load_config
from backprop_cli.errors import DataError, UsageError
from backprop_cli.model.model import Model

CONFIG = """
dataset:
  {{source: files, path: text.txt, level: {level}, length: 6, stride: 1, splits: {{train: 90%, validation: 10%}}}}
architecture:
  - {{type: embedding, input_dim: {words}, output_dim: 8}}
  - {layer}
  - {{type: dense, units: {words}, activation: softmax}}
loss: sparse_categorical_crossentropy
optimizer: {{type: adam, learning_rate: 0.02}}
trainer: {{epochs: {epochs}}}
"""
GRU = "{type: gru, units: 12, return_sequences: true}"
BOTH_WAYS = "{type: bidirectional, layer: {type: gru, units: 4, return_sequences: true}}"


def learnt(folder: Path, text: str, words: int, level: str = "character", layer: str = GRU, epochs: int = 12) -> Model:
    (folder / "text.txt").write_text(text)
    (folder / "c.yaml").write_text(CONFIG.format(level=level, words=words, layer=layer, epochs=epochs))
    train(load_config(folder / "c.yaml"), run_dir=folder / "run")
    return load(folder / "run")


@pytest.fixture(scope="module")
def alphabet(tmp_path_factory: pytest.TempPathFactory) -> Model:
    return learnt(tmp_path_factory.mktemp("alphabet"), "abcdef" * 100, 7)


@pytest.mark.parametrize(
    ("prompt", "said"), [("a", "bcdefabcd"), ("cd", "efabcdefa"), ("abcdef" * 3 + "a", "bcdefabcd")]
)
def test_a_text_goes_on_whatever_the_length_of_its_beginning(alphabet: Model, prompt: str, said: str) -> None:
    assert "".join(generate(alphabet, 9, prompt, temperature=0)) == said


@pytest.mark.large
def test_the_seed_decides_and_heat_makes_it_wild(alphabet: Model) -> None:
    def said(**chance: float) -> str:
        return "".join(generate(alphabet, 60, "a", **chance))  # type: ignore[arg-type]

    assert said(temperature=50, seed=1) == said(temperature=50, seed=1) != said(temperature=50, seed=2)
    right = "bcdefa" * 10
    hits = [sum(a == b for a, b in zip(said(temperature=t), right, strict=True)) for t in (0.2, 50)]
    assert hits[0] == 60 > 40 > hits[1]


def test_words_stand_apart_and_marks_close_up(tmp_path: Path) -> None:
    model = learnt(tmp_path, "The cat sat, then ran.\n" * 80, 9, "word", epochs=20)
    assert "".join(generate(model, 7, "The cat", temperature=0)) == " sat, then ran.\nThe"


def test_what_the_model_has_not_learnt_is_said(alphabet: Model) -> None:
    said: list[str] = []
    assert len("".join(generate(alphabet, 3, "ab!", warn=said.append))) == 3
    assert said == ["--prompt holds '!', which the model has not learnt: read as unknown"]
    for prompt, strict in (("!?", False), ("ab!", True)):
        with pytest.raises(DataError, match="which the model has not learnt; use"):
            next(generate(alphabet, 3, prompt, strict=strict))


def test_a_network_that_sees_what_comes_after_cannot_go_on(tmp_path: Path) -> None:
    model = learnt(tmp_path, "abcdef" * 20, 7, layer=BOTH_WAYS, epochs=1)
    with pytest.raises(UsageError, match="also sees later tokens"):
        next(generate(model, 1, "a"))


def test_as_a_command(bp, alphabet: Model) -> None:
    run = str(alphabet.path.parents[1])
    done = bp("predict", run, "--generate", "6", "--prompt", "ab", "--temperature", "0")
    assert (done.code, done.out) == (0, "abcdefab\n"), done.err
    told = bp("predict", run, "--generate", "3", "--prompt", "ab", "--temperature", "0", "--json").json
    assert (told["text"], told["prompt"], told["generated"], told["seed"]) == ("cde", "ab", 3, 0)
    for wrong in (
        ["--seed", "1", "x.csv"],
        ["--generate", "3", "x.csv"],
        [],
        ["--generate", "3", "--temperature", "nan"],
    ):
        assert bp("predict", run, *wrong).code == 2
