"""The gap between validation and training loss, for `bp lesson run overfitting_and_cures`."""

from __future__ import annotations

from collections.abc import Mapping

from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read


def _gap(run: RunDirectory) -> float:
    last = list(read(run.metrics))[-1]
    return float(last["validation/loss"] - last["train/loss"])


def gap_of_dropout(runs: Mapping[str, RunDirectory]) -> float:
    return _gap(runs["dropout"]) / _gap(runs["plain"])


def gap_of_l2(runs: Mapping[str, RunDirectory]) -> float:
    return _gap(runs["L2"]) / _gap(runs["plain"])
