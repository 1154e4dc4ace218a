"""Products of the outputs of a wide layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, before, one_pass


def _kernel(runs: Runs) -> Any:
    """Products of the outputs of each direction with those of the first, over its own."""
    y = one_pass(before(runs["wide"])).outputs["dense_1"].astype(np.float64)
    return y @ y[0] / (y[0] @ y[0])


def at_60(runs: Runs) -> float:
    return float(_kernel(runs)[1])


def at_90(runs: Runs) -> float:
    return float(_kernel(runs)[2])


def at_120(runs: Runs) -> float:
    return float(_kernel(runs)[3])


def draw(figure: Any, runs: Runs) -> None:
    """The kernel over the angle, with what the layer gives."""
    axes = figure.subplots()
    angle = np.linspace(0, np.pi, 200)
    axes.plot(np.degrees(angle), (np.sin(angle) + (np.pi - angle) * np.cos(angle)) / np.pi, label="formula")
    axes.plot([0, 60, 90, 120], _kernel(runs), "o", label="20,000 ReLUs")
    axes.set(xlabel="angle between two inputs (degrees)", ylabel="kernel")
    axes.legend()
