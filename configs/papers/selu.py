"""Mean and variance of the activations, layer by layer."""

from __future__ import annotations

from typing import Any

from backprop_cli.commands.lessons.look import Runs, before, layers, one_pass
from backprop_cli.runs.directory import RunDirectory


def _moments(run: RunDirectory) -> list[tuple[float, float]]:
    prepared = before(run)
    outputs = one_pass(prepared).outputs
    return [(float(outputs[name].mean()), float(outputs[name].var())) for name in layers(prepared)[:-1]]


def mean(runs: Runs) -> float:
    return _moments(runs["SELU"])[-1][0]


def variance(runs: Runs) -> float:
    return _moments(runs["SELU"])[-1][1]


def relu_variance(runs: Runs) -> float:
    return _moments(runs["ReLU"])[-1][1]


def draw(figure: Any, runs: Runs) -> None:
    """Variance by layer."""
    axes = figure.subplots()
    for name, run in runs.items():
        axes.plot(range(1, 33), [variance for _, variance in _moments(run)], "o-", label=name)
    axes.set(xlabel="layer", ylabel="variance of the activations", yscale="log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.legend()
