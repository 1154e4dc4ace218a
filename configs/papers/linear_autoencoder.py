"""What principal components leave of the digits, and what the autoencoder leaves."""

from __future__ import annotations

from typing import Any

import numpy as np

from backprop_cli.commands.lessons.look import Runs, after, answers
from backprop_cli.engine.arrays import Array


def _left_by_components(x: Array, count: int) -> float:
    """Mean squared error of the best approximation by `count` directions about the mean."""
    strengths = np.linalg.svd(x - x.mean(0), compute_uv=False)
    return float((strengths[count:] ** 2).sum() / x.size)


def over_components(runs: Runs) -> float:
    y, x = answers(after(runs["eight units"]))
    return float(((y - x) ** 2).mean()) / _left_by_components(x.astype(np.float64), 8)


def draw(figure: Any, runs: Runs) -> None:
    """Digits above, what comes out below."""
    y, x = answers(after(runs["eight units"]))
    for column, axes in enumerate(figure.subplots(2, 8).T):
        for picture, one in zip((x, y), axes, strict=True):
            one.imshow(picture[column].reshape(8, 8), cmap="Greys", vmin=0, vmax=1)
            one.set(xticks=[], yticks=[])
