"""Pictures that are right, and the detector."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, after, answers


def right(runs: Runs) -> float:
    y, target = answers(after(runs["detectors"]))
    return float(((y > 0.5) == (target > 0.5)).mean())


def draw(figure: Any, runs: Runs) -> None:
    """The 3×3 weights of both detectors, which all places share."""
    kernels = after(runs["detectors"]).network.parameters["conv2d_1.W"][:, :, 0]
    largest = abs(kernels).max()
    for number, axes in enumerate(figure.subplots(1, 2)):
        axes.imshow(kernels[:, :, number], cmap="RdBu", vmin=-largest, vmax=largest)
        for row in range(3):
            for column in range(3):
                axes.text(column, row, f"{kernels[row, column, number]:.1f}", ha="center", va="center")
        axes.set(xticks=[], yticks=[], title=f"detector {number + 1}")
