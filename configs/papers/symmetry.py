"""The weights of the two hidden units."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after


def _kernel(runs: Runs) -> Any:
    return after(runs["two hidden units"]).network.parameters["dense_1.W"]


def _magnitudes(runs: Runs) -> Any:
    """Mean size of the weights at each distance from the middle, the smallest first."""
    kernel = np.abs(_kernel(runs))
    return np.sort((kernel[:3] + kernel[5:2:-1]).mean(1) / 2)


def second_ratio(runs: Runs) -> float:
    return float(_magnitudes(runs)[1] / _magnitudes(runs)[0])


def third_ratio(runs: Runs) -> float:
    return float(_magnitudes(runs)[2] / _magnitudes(runs)[0])


def imbalance(runs: Runs) -> float:
    kernel = _kernel(runs)
    return float(np.abs(kernel[:3] + kernel[5:2:-1]).max() / np.abs(kernel).max())


def draw(figure: Any, runs: Runs) -> None:
    """The six weights of each hidden unit, as bars."""
    for axes, weights in zip(figure.subplots(2, 1, sharex=True), _kernel(runs).T, strict=True):
        bars = axes.bar(np.arange(1, 7), weights)
        axes.bar_label(bars, fmt="%.1f")
        axes.margins(y=0.2)
    axes.set_xlabel("bit")
    figure.axes[0].set_title("weights of the two hidden units")
