"""Errors on training and test digits, and the planes of the first layer."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, after, answers


def _wrong(runs: Runs, split: str) -> float:
    y, target = answers(after(runs["1989"]), split)
    return float((y.argmax(1) != target.argmax(1)).mean())


def train(runs: Runs) -> float:
    return _wrong(runs, "train")


def test(runs: Runs) -> float:
    return _wrong(runs, "test")


def draw(figure: Any, runs: Runs) -> None:
    """The twelve 5×5 kernels of the first layer."""
    kernels = after(runs["1989"]).network.parameters["H1.W"][:, :, 0]
    for plane, axes in enumerate(figure.subplots(2, 6).flat):
        axes.imshow(kernels[:, :, plane], cmap="RdBu")
        axes.set(xticks=[], yticks=[])
