"""Accuracy on the test digits."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, test_accuracy


def accuracy(runs: Runs) -> float:
    return test_accuracy(runs["quickstart"])
