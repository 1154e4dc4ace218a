"""Accuracy on all 432 robots."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _right(run: RunDirectory) -> float:
    y, target = answers(after(run), "test")
    return float(((y.ravel() > 0.5) == (target.ravel() > 0.5)).mean())


def first(runs: Runs) -> float:
    return _right(runs["first"])


def second(runs: Runs) -> float:
    return _right(runs["second"])


def third(runs: Runs) -> float:
    return _right(runs["third"])


def decayed(runs: Runs) -> float:
    return _right(runs["third with decay"])
