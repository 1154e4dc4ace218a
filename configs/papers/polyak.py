"""The share of the error that a step leaves."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs
from backprop_cli.runs.directory import RunDirectory
from backprop_cli.runs.metrics_log import read


def _rate(run: RunDirectory) -> float:
    """Over the second half of the first hundred steps: the root of the ratio of losses, per step."""
    loss = [row["train/loss"] for row in read(run.metrics)]
    return float((loss[100] / loss[50]) ** (1 / 100))


def plain(runs: Runs) -> float:
    return _rate(runs["gradient descent"])


def heavy(runs: Runs) -> float:
    return _rate(runs["momentum"])
