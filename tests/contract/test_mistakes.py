"""Mistakes of a user, through the real command: the place, the exit code, and nothing left behind."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Bp = Callable[..., Any]
CONFIG = """\
dataset: {source: sample, name: digits}
architecture:
  - flatten
  - {type: dense, units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
trainer: {epochs: 1}
"""
RESIDUAL = """\
dataset: {source: sample, name: digits}
architecture:
  - {type: reshape, shape: [8, 8, 1]}
  - residual:
      - {type: conv2d, filters: 4, kernel_size: 3}
  - flatten
  - {type: dense, units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
"""
AUGMENTED = """\
dataset:
  source: sample
  name: digits
  transforms:
    - {type: reshape, shape: [64]}
    - {type: EACH}
architecture:
  - {type: dense, units: 10, activation: softmax}
loss: sparse_categorical_crossentropy
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CONFIG.replace("name: digits", "name: digitz"), "c.yaml:1:27: dataset.name: unknown sample 'digitz'"),
        (CONFIG.replace("sample, name: digits", "tfds, name: mnistt"), "c.yaml:1:25: dataset.name: "),
        (
            RESIDUAL,
            "c.yaml:5:9: architecture.1.residual.layers.0: conv2d_1: no projection takes (8, 8, 1) to (6, 6, 4)",
        ),
        (AUGMENTED.replace("EACH", "flip"), "c.yaml:6:7: dataset.transforms.1: flip: expected images"),
        (AUGMENTED.replace("EACH", "mixup, classes: 12"), "c.yaml:9:1: loss: "),
        (CONFIG + "parameters: {dense_1.W: [[1, 2], [3]]}\n", "(64, 10), got lists of different lengths"),
    ],
    ids=["unknown sample", "unknown tfds", "residual", "augmented rows", "augmented targets", "ragged weights"],
)
def test_each_is_shown_at_its_place(bp: Bp, tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "c.yaml").write_text(text)
    done = bp("train", "c.yaml")
    assert said in done.err
    assert (done.code, done.out) == (2, "") and not (tmp_path / "runs").exists()


def test_a_value_that_is_not_finite_has_its_row_in_the_file(bp: Bp, tmp_path: Path) -> None:
    x = np.zeros((40, 64))
    x[23, 5] = np.nan
    np.savez(tmp_path / "a.npz", x=x, y=np.arange(40) % 10)
    (tmp_path / "c.yaml").write_text(CONFIG.replace("sample, name: digits", "files, path: a.npz"))
    done = bp("train", "c.yaml")
    assert done.code == 1 and f"{tmp_path / 'a.npz'}: x has nan in row 23, column 5" in done.err


def test_training_that_fails_still_prints_its_document(bp: Bp, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(
        "dataset: {source: sample, name: diabetes}\narchitecture: [{type: dense, units: 1}]\nloss: mse\n"
        "optimizer: {type: sgd, learning_rate: 1e9}\n"
    )
    done = bp("train", "c.yaml", "--json", "--run-dir", "run")
    assert done.code == 1 and done.json["status"] == "diverged" and done.json["run_dir"] == "run"
    assert "bp: " in done.err


@pytest.mark.process
def test_training_that_is_stopped_still_prints_its_document(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.replace("epochs: 1", "epochs: 1000000"))
    command = [sys.executable, "-m", "backprop_cli", "train", "c.yaml", "--json", "--run-dir", "run"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as bp:
        rows = tmp_path / "run" / "metrics.jsonl"
        while bp.poll() is None and not (rows.exists() and rows.stat().st_size):
            time.sleep(0.05)
        bp.send_signal(signal.SIGTERM)
        document = json.loads(bp.communicate(timeout=60)[0])
    assert bp.returncode == 143 and document["status"] == "interrupted" and document["epochs"] >= 1
