"""Test accuracies of the dense network, of the ticket and of as many weights at random."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, after, test_accuracy


def dense(runs: Runs) -> float:
    return test_accuracy(runs["dense"])


def ticket(runs: Runs) -> float:
    return test_accuracy(runs["ticket"])


def at_random(runs: Runs) -> float:
    return test_accuracy(runs["random"])


def gain(runs: Runs) -> float:
    return ticket(runs) - at_random(runs)


def draw(figure: Any, runs: Runs) -> None:
    """Test accuracies, as bars, and which inputs the ticket looks at."""
    left, right = figure.subplots(1, 2)
    bars = left.bar(list(runs), [test_accuracy(run) for run in runs.values()])
    left.bar_label(bars, fmt="%.2f")
    left.set(ylabel="test accuracy", ylim=(0, 1))
    right.spy(after(runs["ticket"]).network.parameters["dense_1.W"].T, markersize=1.5, aspect="auto")
    right.set(xlabel="input", ylabel="hidden unit", title="weights of the ticket")
