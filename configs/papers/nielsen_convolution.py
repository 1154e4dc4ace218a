"""Test accuracies, and digits that the best network gets wrong."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, after, answers, test_accuracy


def one_hidden(runs: Runs) -> float:
    return test_accuracy(runs["one hidden layer"])


def one_convolution(runs: Runs) -> float:
    return test_accuracy(runs["one convolution"])


def two_convolutions(runs: Runs) -> float:
    return test_accuracy(runs["two of ReLUs"])


def draw(figure: Any, runs: Runs) -> None:
    """Digits that two convolutions read wrongly: what they are, and what is read."""
    prepared = after(runs["two of ReLUs"])
    y, target = answers(prepared, "test")
    wrong = (y.argmax(1) != target).nonzero()[0]
    pictures = prepared.dataset.splits["test"].x
    for row, axes in zip(wrong, figure.subplots(3, 8).flat, strict=False):
        axes.imshow(pictures[row].reshape(28, 28), cmap="Greys")
        axes.set_title(f"{target[row]} read as {y[row].argmax()}", fontsize=7)
    for axes in figure.axes:
        axes.set(xticks=[], yticks=[])
