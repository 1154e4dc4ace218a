"""Codes of new digits: how near those of one class are, and what the nearest middle of a class says."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after
from backprop_cli.engine.arrays import Array


def _codes(runs: Runs, split: str) -> tuple[Array, Array]:
    """The codes of a split, and its classes: each digit beside itself gives its code."""
    prepared = after(runs["siamese"])
    part = prepared.dataset.splits[split]
    x = (part.x.reshape(-1, 1, 784) / 255).astype(np.float32)
    parts = []
    for start in range(0, len(x), 500):
        both = np.repeat(x[start : start + 500], 2, axis=1)
        prepared.network.forward(both, copy=False)
        parts.append(prepared.network.outputs["code"][: len(both)].copy())
    return np.concatenate(parts), np.asarray(part.y)


def nearness(runs: Runs) -> float:
    code, y = _codes(runs, "test")
    distance = np.sqrt(((code[:, None] - code[None]) ** 2).sum(-1))
    alike = y[:, None] == y[None]
    pairs = ~np.eye(len(y), dtype=bool)
    return float(distance[alike & pairs].mean() / distance[~alike].mean())


def nearest(runs: Runs) -> float:
    known, classes = _codes(runs, "train")
    middles = np.stack([known[classes == digit].mean(0) for digit in range(10)])
    code, y = _codes(runs, "test")
    return float((((code[:, None] - middles) ** 2).sum(-1).argmin(1) == y).mean())


def draw(figure: Any, runs: Runs) -> None:
    """The plane of codes of new digits."""
    code, y = _codes(runs, "test")
    axes = figure.subplots()
    points = axes.scatter(*code.T, c=y, s=5, cmap="tab10")
    figure.colorbar(points, ax=axes, ticks=range(10))
    axes.set(aspect="equal")
