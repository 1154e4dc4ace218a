"""What the three hidden units make of eight patterns."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers, one_pass


def _hidden(runs: Runs) -> Any:
    return one_pass(after(runs["8-3-8"])).outputs["dense_1"]


def recovered(runs: Runs) -> float:
    y, target = answers(after(runs["8-3-8"]))
    return float((y.argmax(1) == target.argmax(1)).sum())


def codes(runs: Runs) -> float:
    return float(len({tuple(row) for row in np.round(2 * _hidden(runs)).astype(int).tolist()}))


def draw(figure: Any, runs: Runs) -> None:
    """Patterns from top to bottom, hidden units from left to right."""
    axes = figure.subplots()
    hidden = _hidden(runs)
    axes.imshow(hidden, vmin=0, vmax=1, cmap="Greys", aspect="auto")
    for (row, column), value in np.ndenumerate(hidden):
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color="tab:orange")
    axes.set(xlabel="hidden unit", ylabel="pattern", xticks=range(3), yticks=range(8))
