"""The share of partitions that are parted without a mistake."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.runs.directory import RunDirectory


def _parted(run: RunDirectory) -> float:
    y, target = answers(after(run))
    return float(((y > 0.5) == (target > 0.5)).all(0).mean())


def of_30(runs: Runs) -> float:
    return _parted(runs["30 points"])


def of_40(runs: Runs) -> float:
    return _parted(runs["40 points"])


def of_50(runs: Runs) -> float:
    return _parted(runs["50 points"])


def draw(figure: Any, runs: Runs) -> None:
    """Shares over points per dimension, with the formula's: 2^(1 − N) Σ C(N − 1, k) over k below d."""
    axes = figure.subplots()
    points = np.arange(20, 71)
    exact = [2.0 ** (1 - n) * sum(math.comb(int(n) - 1, k) for k in range(20)) for n in points]
    axes.plot(points / 20, exact, label="formula, d = 20")
    for name, run in runs.items():
        axes.plot(int(name.split()[0]) / 20, _parted(run), "o", label=name)
    axes.set(xlabel="points per dimension", ylabel="share of partitions that a plane parts")
    axes.legend()
