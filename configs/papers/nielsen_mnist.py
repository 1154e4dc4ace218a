"""Accuracies and costs as the book counts them: the right one is the largest output, costs are summed over ten."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers, test_accuracy
from backprop_cli.runs.directory import RunDirectory


def _cost(run: RunDirectory, split: str) -> float:
    y, target = answers(after(run), split)
    y = np.clip(y.astype(np.float64), 1e-12, 1 - 1e-12)
    return float(-(target * np.log(y) + (1 - target) * np.log(1 - y)).sum(1).mean())


def accuracy(runs: Runs) -> float:
    return test_accuracy(runs["plain"])


def test_cost(runs: Runs) -> float:
    return _cost(runs["plain"], "test")


def training_cost(runs: Runs) -> float:
    return _cost(runs["plain"], "train")


def regularized(runs: Runs) -> float:
    return test_accuracy(runs["λ = 0.1"])


def first_epoch(runs: Runs) -> float:
    return test_accuracy(runs["one epoch"])


def thirty_epochs(runs: Runs) -> float:
    return test_accuracy(runs["thirty epochs"])


def small_rate(runs: Runs) -> float:
    return test_accuracy(runs["rate 0.001"])


def large_rate(runs: Runs) -> float:
    return test_accuracy(runs["rate 100"])


def small_weights(runs: Runs) -> float:
    return test_accuracy(runs["small"])


def large_weights(runs: Runs) -> float:
    return test_accuracy(runs["large"])


def small_weights_100(runs: Runs) -> float:
    return test_accuracy(runs["small, 100"])


def large_weights_100(runs: Runs) -> float:
    return test_accuracy(runs["large, 100"])


def _cost_with_weights(run: RunDirectory) -> float:
    """The cost of training, with λ/2n of the squared weights for the book's λ = 5 and n = 50,000."""
    parameters = after(run).network.parameters
    squares = sum(float((W**2).sum()) for name, W in parameters.items() if name.endswith(".W"))
    return _cost(run, "train") + 5 / 50_000 / 2 * squares


def slow_cost(runs: Runs) -> float:
    return _cost_with_weights(runs["rate 0.025"])


def right_cost(runs: Runs) -> float:
    return _cost_with_weights(runs["rate 0.25"])


def fast_cost(runs: Runs) -> float:
    return _cost_with_weights(runs["rate 2.5"])


def from_100(runs: Runs) -> float:
    return test_accuracy(runs["100 digits"])


def from_1000(runs: Runs) -> float:
    return test_accuracy(runs["1000 digits"])


def from_10000(runs: Runs) -> float:
    return test_accuracy(runs["10000 digits"])


def draw_more_data(figure: Any, runs: Runs) -> None:
    """Accuracy on new digits over the number of those trained with, here and in the book."""
    axes = figure.subplots()
    axes.plot([100, 1000, 10000], [test_accuracy(run) for run in runs.values()], "o-", label="here")
    sizes, book = [100, 200, 500, 1000, 2000, 5000, 10000], [69.09, 76.37, 85.29, 88.85, 91.27, 93.24, 94.89]
    axes.plot(sizes, [percent / 100 for percent in book], "k--", linewidth=1, label="printed")
    axes.set(xlabel="digits trained with", ylabel="accuracy on new digits", xscale="log", ylim=(0.6, 1))
    axes.xaxis.set_major_formatter("{x:,g}")
    axes.legend()
