"""Errors over the width."""

from __future__ import annotations

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _wrong(run: RunDirectory, split: str = "test") -> float:
    y, target = answers(after(run), split)
    return float((y.argmax(1) != target).mean())


def narrow(runs: Runs) -> float:
    return _wrong(runs["width 16"])


def critical(runs: Runs) -> float:
    return _wrong(runs["width 47"])


def wide(runs: Runs) -> float:
    return _wrong(runs["width 300"])


def by_heart(runs: Runs) -> float:
    return _wrong(runs["width 47"], "train")
