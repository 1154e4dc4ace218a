"""Errors over the width."""

from __future__ import annotations

from typing import Any

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


def draw(figure: Any, runs: Runs) -> None:
    """Test and training error over the width."""
    axes = figure.subplots()
    widths = [int(name.split()[1]) for name in runs]
    for split in ("test", "train"):
        axes.plot(widths, [_wrong(run, split) for run in runs.values()], "o-", label=split)
    axes.set(xlabel="width of both hidden layers", ylabel="error", xscale="log", ylim=(0, 1))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.legend()
