"""configs/lessons: what each says is to be expected comes about."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.errors import DivergedError
from backprop_cli.runs.contents import DIAGNOSIS
from backprop_cli.runs.directory import DIAGNOSTICS, RunDirectory
from backprop_cli.runs.metrics_log import read

LESSONS = Path(__file__).parents[1] / "configs/lessons"
GUESSING = 0.3  # accuracy among ten classes that no network which has learnt anything stays below


@dataclass
class Lesson:
    """A lesson as it was trained."""

    status: str
    rows: list[dict[str, Any]]
    looks: list[dict[str, Any]]

    def course(self, key: str) -> list[float]:
        return [row[key] for row in self.rows]

    def end(self, key: str) -> float:
        return self.course(key)[-1]

    @property
    def accuracy(self) -> float:
        return self.end("validation/accuracy")

    @property
    def gap(self) -> float:
        return self.end("validation/loss") - self.end("train/loss")


Learn = Callable[[str], Lesson]


@pytest.fixture(scope="module")
def learn(tmp_path_factory: pytest.TempPathFactory) -> Learn:
    """Train a lesson, each once."""
    done: dict[str, Lesson] = {}

    def trained(name: str) -> Lesson:
        if name not in done:
            folder = tmp_path_factory.mktemp("lessons") / name
            try:
                status = train(load_config(LESSONS / f"{name}.yaml"), run_dir=folder)["status"]
            except DivergedError:
                status = "diverged"
            run = RunDirectory(folder)
            done[name] = Lesson(status, list(read(run.metrics)), list(read(run.path / DIAGNOSTICS, DIAGNOSIS)))
        return done[name]

    return trained


@pytest.mark.parametrize(("cure", "accuracy"), [("relu", 0.85), ("init", 0.7), ("batch_norm", 0.9), ("residual", 0.9)])
def test_vanishing_gradients_and_their_cures(learn: Learn, cure: str, accuracy: float) -> None:
    assert learn("vanishing").accuracy < GUESSING
    assert learn(f"vanishing_{cure}").accuracy > accuracy


def test_exploding_gradients_and_clipping(learn: Learn) -> None:
    exploding, clipped = learn("exploding"), learn("exploding_clipped")
    assert exploding.status == "diverged" or min(exploding.course("validation/loss")) > 0.12
    assert clipped.status == "completed"
    assert clipped.end("validation/loss") < 0.03


def test_xor_needs_a_hidden_layer(learn: Learn) -> None:
    without, hidden = learn("xor_without_hidden"), learn("xor_hidden")
    assert without.end("train/accuracy") <= 0.75
    assert without.end("train/loss") == pytest.approx(0.6931, abs=1e-3)
    assert hidden.end("train/accuracy") == 1
    assert hidden.end("train/loss") < 0.01


@pytest.mark.parametrize(("small", "cure"), [("init_small", "init_xavier"), ("init_small_relu", "init_he")])
def test_first_weights(learn: Learn, small: str, cure: str) -> None:
    assert learn(small).accuracy < GUESSING
    assert learn(cure).accuracy > 0.9


def test_batch_norm_against_none(learn: Learn) -> None:
    assert learn("batch_norm_without").accuracy < 0.4
    assert learn("batch_norm").accuracy > 0.85


def test_overfitting(learn: Learn) -> None:
    held = learn("overfitting").course("validation/loss")
    assert min(held) == min(held[:30])
    assert held[-1] > 2 * min(held)
    train = learn("overfitting").course("train/loss")
    assert train[-1] < 0.9 * train[held.index(min(held))]


@pytest.mark.parametrize("cure", ["dropout", "l2"])
def test_what_keeps_the_gap_small(learn: Learn, cure: str) -> None:
    assert learn(f"overfitting_{cure}").gap < learn("overfitting").gap / 2


def test_early_stopping_keeps_the_best(learn: Learn) -> None:
    stopped, whole = learn("overfitting_early_stopping"), learn("overfitting")
    assert len(stopped.rows) < len(whole.rows) / 2
    assert min(stopped.course("validation/loss")) < whole.end("validation/loss") / 2


def test_learning_rates(learn: Learn) -> None:
    small, right, large = (learn(f"learning_rate_{which}") for which in ("small", "right", "large"))
    falling = small.course("train/loss")
    assert falling == sorted(falling, reverse=True)
    assert small.accuracy < GUESSING
    assert right.accuracy > 0.9
    assert large.accuracy < GUESSING
    assert large.end("train/loss") > 2.303
    assert large.looks[-1]["layers"]["dense_1"]["dead"] > 0.9


def test_local_minima_and_momentum(learn: Learn) -> None:
    assert learn("local_minimum").end("train/loss") == pytest.approx(4.5)
    assert learn("local_minimum_momentum").end("train/loss") == pytest.approx(2)


def test_every_lesson_says_what_to_expect() -> None:
    for path in set(LESSONS.glob("*.yaml")) - set(LESSONS.glob("*.lesson.yaml")):
        comment = " ".join(line[2:] for line in path.read_text(encoding="utf-8").splitlines() if line[:2] == "# ")
        assert "Expected: " in comment, path.name
