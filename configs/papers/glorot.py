"""Activations, gradients and Jacobians of the first weights, layer by layer."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, before, layers, one_pass
from backprop_cli.runs.directory import RunDirectory


def _variances(run: RunDirectory) -> tuple[list[float], list[float]]:
    """Of the activations and of the gradients of the hidden layers."""
    prepared = before(run)
    seen, hidden = one_pass(prepared), layers(prepared)[:-1]
    return [float(seen.outputs[name].var()) for name in hidden], [float(seen.deltas[name].var()) for name in hidden]


def _singular(run: RunDirectory) -> float:
    """The mean singular value of ∂z(i + 1)/∂z(i), over the hidden layers and a few digits."""
    prepared = before(run)
    seen, hidden = one_pass(prepared), layers(prepared)[:-1]
    means = []
    for below, above in itertools.pairwise(hidden):
        kernel = prepared.network.parameters[f"{above}.W"]
        for y in seen.outputs[below][:1]:
            means.append(np.linalg.svd((1 - y[:, None] ** 2) * kernel, compute_uv=False).mean())
    return float(np.mean(means))


def usual_singular(runs: Runs) -> float:
    return _singular(runs["usual"])


def usual_forward(runs: Runs) -> float:
    forward, _ = _variances(runs["usual"])
    return forward[-1] / forward[0]


def usual_backward(runs: Runs) -> float:
    _, backward = _variances(runs["usual"])
    return backward[0] / backward[-1]


def normalized_singular(runs: Runs) -> float:
    return _singular(runs["normalized"])


def normalized_forward(runs: Runs) -> float:
    forward, _ = _variances(runs["normalized"])
    return forward[-1] / forward[0]


def normalized_backward(runs: Runs) -> float:
    _, backward = _variances(runs["normalized"])
    return backward[0] / backward[-1]


def draw(figure: Any, runs: Runs) -> None:
    """Histograms of activations (above) and gradients (below), as figures 6 and 7."""
    all_axes = figure.subplots(2, 2)
    for (name, run), column in zip(runs.items(), all_axes.T, strict=True):
        prepared = before(run)
        seen = one_pass(prepared)
        for number, layer in enumerate(layers(prepared)[:-1], 1):
            for axes, values in zip(column, (seen.outputs[layer], seen.deltas[layer]), strict=True):
                heights, edges = np.histogram(values, 60, density=True)
                axes.plot((edges[1:] + edges[:-1]) / 2, heights, label=f"layer {number}")
        column[0].set(title=f"{name} first weights", xlabel="activation")
        column[1].set(xlabel="gradient", yscale="log")
        column[1].yaxis.set_major_formatter("{x:g}")
    all_axes[0, 0].legend()
