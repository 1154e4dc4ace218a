"""Facts that the network knows, and what its units for people stand for."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, after, answers


def _known(runs: Runs, split: str) -> float:
    """Rows whose outputs are all on the right side of ½."""
    y, target = answers(after(runs["family trees"]), split)
    return float(((y > 0.5) == (target > 0.5)).all(1).sum())


def told(runs: Runs) -> float:
    return _known(runs, "train")


def inferred(runs: Runs) -> float:
    return _known(runs, "test")


def draw(figure: Any, runs: Runs) -> None:
    """Weights from the people to six units: the English above, the Italians below, as figure 4."""
    kernel = after(runs["family trees"]).network.parameters["person.W"]
    for number, axes in enumerate(figure.subplots(6, 1), 1):
        axes.imshow(kernel[:, number - 1].reshape(2, 12), cmap="RdBu", vmin=-4, vmax=4)
        axes.set(xticks=[], yticks=[0, 1], yticklabels=["English", "Italian"], ylabel=f"{number}")
