"""Where the codes of new digits lie, and what the plane of codes decodes to."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after
from backprop_cli.engine.arrays import Array
from backprop_cli.engine.graph import Network
from backprop_cli.model.build import Prepared

SIDE = 12  # pictures of the plane


def _codes(prepared: Prepared) -> tuple[Array, Array]:
    """Means and variances of the codes of the test digits."""
    parts = []
    for x, _ in prepared.batches("test").epoch(0):
        prepared.network.forward(x, copy=False)
        parts.append(prepared.network.outputs["code"][: len(x)].copy())
    mean, log_variance = np.split(np.concatenate(parts), 2, axis=1)
    return mean, np.exp(log_variance)


def spread(runs: Runs) -> float:
    """Of codes as they are drawn: the means vary, and so does each draw."""
    mean, variance = _codes(after(runs["vae"]))
    return float(np.sqrt(mean.var(0) + variance.mean(0)).mean())


def middle(runs: Runs) -> float:
    mean, _ = _codes(after(runs["vae"]))
    return float(mean.mean())


def _decoded(network: Network, code: Array) -> Array:
    """The half of the network behind the code, a hidden layer of ReLUs and one of sigmoids."""
    W = network.parameters
    hidden = np.maximum(code @ W["decoder.W"] + W["decoder.b"], 0)
    return 1 / (1 + np.exp(-(hidden @ W["pixels.W"] + W["pixels.b"])))


def draw(figure: Any, runs: Runs) -> None:
    """The codes of test digits by their classes, and digits over the plane."""
    prepared = after(runs["vae"])
    left, right = figure.subplots(1, 2)
    mean, _ = _codes(prepared)
    points = left.scatter(*mean.T, c=prepared.dataset.splits["test"].y, s=3, cmap="tab10")
    figure.colorbar(points, ax=left, ticks=range(10), shrink=0.5)
    left.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", title="codes of new digits")
    axis = np.linspace(-2, 2, SIDE)
    code = np.stack(np.meshgrid(axis, -axis), axis=-1).reshape(-1, 2)
    plane = _decoded(prepared.network, code).reshape(SIDE, SIDE, 28, 28).transpose(0, 2, 1, 3)
    right.imshow(plane.reshape(SIDE * 28, SIDE * 28), cmap="Greys", extent=(-2, 2, -2, 2))
    right.set(title="what codes decode to")
