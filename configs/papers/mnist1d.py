"""Test accuracies of the table."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, test_accuracy


def line(runs: Runs) -> float:
    return test_accuracy(runs["line"])


def mlp(runs: Runs) -> float:
    return test_accuracy(runs["MLP"])


def cnn(runs: Runs) -> float:
    return test_accuracy(runs["CNN"])


def line_shuffled(runs: Runs) -> float:
    return test_accuracy(runs["line shuffled"])


def mlp_shuffled(runs: Runs) -> float:
    return test_accuracy(runs["MLP shuffled"])


def cnn_shuffled(runs: Runs) -> float:
    return test_accuracy(runs["CNN shuffled"])


def gru(runs: Runs) -> float:
    return test_accuracy(runs["GRU"])


def gru_shuffled(runs: Runs) -> float:
    return test_accuracy(runs["GRU shuffled"])
