"""Accuracy on the test digits."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers


def accuracy(runs: Runs) -> float:
    y, target = answers(after(runs["quickstart"]), "test")
    return float((y.argmax(1) == target).mean())
