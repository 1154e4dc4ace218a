"""Norms of the gradients of the biases, before training, layer by layer; their course while it trains."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, before, layers, one_pass
from backprop_cli.runs.directory import RunDirectory

OUTPUTS = 10  # the cost of the book is their sum, the loss here their mean


def _norms(run: RunDirectory) -> list[float]:
    prepared = before(run)
    gradients = one_pass(prepared).gradients
    return [OUTPUTS * float(np.linalg.norm(gradients[f"{name}.b"])) for name in layers(prepared)[:-1]]


def two_1(runs: Runs) -> float:
    return _norms(runs["two"])[0]


def two_2(runs: Runs) -> float:
    return _norms(runs["two"])[1]


def three_1(runs: Runs) -> float:
    return _norms(runs["three"])[0]


def three_2(runs: Runs) -> float:
    return _norms(runs["three"])[1]


def three_3(runs: Runs) -> float:
    return _norms(runs["three"])[2]


def four_1(runs: Runs) -> float:
    return _norms(runs["four"])[0]


def four_2(runs: Runs) -> float:
    return _norms(runs["four"])[1]


def four_3(runs: Runs) -> float:
    return _norms(runs["four"])[2]


def four_4(runs: Runs) -> float:
    return _norms(runs["four"])[3]


def draw(figure: Any, runs: Runs) -> None:
    """The norms by layer, as bars, with those of the book."""
    printed = {"two": [0.0657, 0.3092], "three": [0.012, 0.060, 0.283], "four": [0.0030, 0.0171, 0.0695, 0.2851]}
    for axes, (name, run) in zip(figure.subplots(1, 3, sharey=True), runs.items(), strict=True):
        here = _norms(run)
        places = np.arange(1, len(here) + 1)
        axes.bar(places - 0.2, here, 0.4, label="here")
        axes.bar(places + 0.2, printed[name], 0.4, label="printed")
        axes.set(title=f"{name} layers", xlabel="hidden layer", xticks=places, yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")  # of all three, once the scale is set for the last time
    axes.legend()
    figure.axes[0].set_ylabel("norm of the gradient of the biases")
