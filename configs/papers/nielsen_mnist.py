"""Test accuracy and costs as the book counts them: the right one is the largest output, costs are summed over ten."""

from __future__ import annotations

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _accuracy(run: RunDirectory) -> float:
    y, target = answers(after(run), "test")
    return float((y.argmax(1) == target.argmax(1)).mean())


def _cost(run: RunDirectory, split: str) -> float:
    y, target = answers(after(run), split)
    y = np.clip(y.astype(np.float64), 1e-12, 1 - 1e-12)
    return float(-(target * np.log(y) + (1 - target) * np.log(1 - y)).sum(1).mean())


def accuracy(runs: Runs) -> float:
    return _accuracy(runs["plain"])


def test_cost(runs: Runs) -> float:
    return _cost(runs["plain"], "test")


def training_cost(runs: Runs) -> float:
    return _cost(runs["plain"], "train")


def regularized(runs: Runs) -> float:
    return _accuracy(runs["λ = 0.1"])


def first_epoch(runs: Runs) -> float:
    return _accuracy(runs["one epoch"])


def thirty_epochs(runs: Runs) -> float:
    return _accuracy(runs["thirty epochs"])


def small_rate(runs: Runs) -> float:
    return _accuracy(runs["rate 0.001"])


def large_rate(runs: Runs) -> float:
    return _accuracy(runs["rate 100"])
