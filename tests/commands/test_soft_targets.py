"""Knowledge distillation by commands: what one network answers is what another one is trained with."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from backprop_cli import load_config
from backprop_cli.commands.train import train
from backprop_cli.data.sample_files import sample_path

TEACHER = """\
dataset: {source: sample, name: digits, transforms: [{type: scale, by: 0.0625}]}
architecture: [flatten, {type: dense, units: 32, activation: relu}, {type: dense, units: 10, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer: {type: adam, learning_rate: 5e-3}
trainer: {epochs: 5, metrics: [accuracy]}
"""
STUDENT = TEACHER.replace("source: sample, name: digits", "source: files, path: x.npy, target: answers.npy").replace(
    "sparse_categorical_crossentropy", "kl_divergence"
)


@pytest.mark.process
def test_a_network_learns_from_the_answers_of_another(bp, tmp_path: Path) -> None:
    (tmp_path / "teacher.yaml").write_text(TEACHER)
    (tmp_path / "student.yaml").write_text(STUDENT)
    train(load_config(tmp_path / "teacher.yaml"), run_dir=tmp_path / "teacher")
    with np.load(sample_path("digits")) as digits:
        np.save(tmp_path / "x.npy", digits["train_x"])
        classes = digits["train_y"]
    assert bp("predict", "teacher", "x.npy", "--proba", "--output", "answers.npy").code == 0
    answers = np.load(tmp_path / "answers.npy")
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-5)
    done = train(load_config(tmp_path / "student.yaml"), run_dir=tmp_path / "student")
    assert (
        done["metrics"]["train/loss"] < 0.3
    )  # of a divergence, whose smallest value is 0; labels alone cost 2.3 first
    assert done["metrics"]["train/accuracy"] > 0.9  # as the teacher's likeliest class says
    assert (answers.argmax(axis=1) == classes).mean() > 0.9
