"""The exact course of the loss, and when each mode is half learnt."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs
from backprop_cli.runs.metrics_log import read

STRENGTHS, FIRST, STEP = (3.0, 2.0, 1.0), 0.01, 0.005  # of the modes; u₀ of each; time of a step in τ


def _exact(step: Any) -> Any:
    """The loss after so many steps: Σ (s − u)² / 9, u = s e^2st / (e^2st − 1 + s/u₀)."""
    left = 0.0
    for s in STRENGTHS:
        grown = np.exp(2 * s * STEP * np.asarray(step, float))
        left = left + (s - s * grown / (grown - 1 + s / FIRST)) ** 2
    return left / 9


def _course(runs: Runs) -> Any:
    return np.array([row["train/loss"] for row in read(runs["linear"].metrics)])


def _half(runs: Runs, mode: int) -> float:
    """The step at which a mode is half learnt: the loss is what it exactly is when the mode is at s/2."""
    s = STRENGTHS[mode]
    step = np.log(s / FIRST - 1) / (2 * s * STEP)
    return float(np.argmax(_course(runs) <= _exact(step)))


def half_of_first(runs: Runs) -> float:
    return _half(runs, 0)


def half_of_second(runs: Runs) -> float:
    return _half(runs, 1)


def half_of_third(runs: Runs) -> float:
    return _half(runs, 2)


def worst(runs: Runs) -> float:
    course = _course(runs)
    return float(np.abs(course - _exact(np.arange(len(course)))).max())


def draw(figure: Any, runs: Runs) -> None:
    """The loss, and the exact one."""
    axes = figure.subplots()
    course = _course(runs)
    axes.plot(course, label="trained", linewidth=3)
    axes.plot(_exact(np.arange(len(course))), "--", label="exact")
    axes.set(xlabel="step", ylabel="loss")
    axes.legend()
