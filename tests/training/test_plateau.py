"""A rate that falls on a plateau goes the way of the metric it watches, whatever the metric's column is called."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backprop_cli import load_config, train

PLATEAU = """
plugins: [hits.py]
dataset: {source: sample, name: iris}
architecture: [{type: dense, units: 8, activation: tanh}, {type: dense, units: 3, activation: softmax}]
loss: sparse_categorical_crossentropy
optimizer:
  type: adam
  learning_rate: 0.01
  schedule: {type: reduce_on_plateau, monitor: %s, patience: 2, factor: 0.5, min_delta: 0}
trainer: {epochs: 12, metrics: [{type: f1, average: macro}, {type: top_k, k: 2}, hit_rate]}
"""
HITS = '''
import numpy as np
from backprop_cli.plugins import Metric, class_ids, metric


@metric("hit_rate")
class HitRate(Metric):
    """Share of right answers, under a key of its own."""

    maximize = True
    measures = "answers"

    @property
    def key(self):
        return "hits"

    def update(self, y, target):
        guess, truth = class_ids(y, target, self.reading)
        self.totals += np.sum(guess == truth), len(truth)
'''


@pytest.mark.parametrize("monitor", ["validation/f1_macro", "validation/top_2", "validation/hits"])
def test_the_rate_is_kept_while_the_metric_rises(tmp_path: Path, monitor: str) -> None:
    (tmp_path / "hits.py").write_text(HITS)
    (tmp_path / "c.yaml").write_text(PLATEAU % monitor)
    train(load_config(tmp_path / "c.yaml"), run_dir=tmp_path / "run")
    rows = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    best, waited, rate = float("-inf"), 0, 0.01
    for row in rows:
        assert row["learning_rate"] == pytest.approx(rate)
        best, waited = (row[monitor], 0) if row[monitor] > best else (best, waited + 1)
        if waited > 2:
            rate, waited = rate / 2, 0
    assert best > rows[0][monitor]
