"""Test accuracies of the table."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _right(run: RunDirectory) -> float:
    y, target = answers(after(run), "test")
    return float((y.argmax(1) == target).mean())


def line(runs: Runs) -> float:
    return _right(runs["line"])


def mlp(runs: Runs) -> float:
    return _right(runs["MLP"])


def cnn(runs: Runs) -> float:
    return _right(runs["CNN"])


def line_shuffled(runs: Runs) -> float:
    return _right(runs["line shuffled"])


def mlp_shuffled(runs: Runs) -> float:
    return _right(runs["MLP shuffled"])


def cnn_shuffled(runs: Runs) -> float:
    return _right(runs["CNN shuffled"])


def gru(runs: Runs) -> float:
    return _right(runs["GRU"])


def gru_shuffled(runs: Runs) -> float:
    return _right(runs["GRU shuffled"])
