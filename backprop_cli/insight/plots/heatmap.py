"""A sweep's goal over two keys: the mean over all else where every pair was tried, else a point a trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.commands.sweep.folds import FOLD, SEED
from backprop_cli.commands.sweep.points import Column, Points
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.sweeps import axis, drawn_from
from backprop_cli.insight.view import View

CELLS = 16  # values of a key up to which each is a row or column


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a sweep's metric over the first two of its keys, as coloured cells or points.

    Raises UsageError for a sweep of fewer keys, and for runs that are no sweep.
    """
    folder, points = drawn_from(views, options.metrics, "heatmap")
    columns = [column for column in points.columns if column.key not in (SEED, FOLD)]
    if len(columns) < 2:
        keys = ", ".join(column.key for column in columns)
        raise UsageError(f"{folder}: --kind heatmap needs two keys that vary; this sweep has {keys or 'none'}")
    x, y = columns[:2]
    figure.set_size_inches(6.4, 4.8)
    ax = figure.subplots()
    if max(x.distinct, y.distinct) <= CELLS and x.distinct * y.distinct <= len(points.values):
        shown = _cells(ax, x, y, points)
    else:
        shown = ax.scatter(x.numbers, y.numbers, c=points.values, cmap=style.SCALE, s=40)
        axis(ax, "x", x)
        axis(ax, "y", y)
    figure.colorbar(shown, ax=ax, label=points.metric)
    others = [column.key for column in points.columns if column not in (x, y)]
    averaged = f", mean over {', '.join(others)}" if others else ""
    figure.suptitle(style.shorten(f"{folder.name}: {points.metric}{averaged}", 90))


def _cells(ax: Any, x: Column, y: Column, points: Points) -> Any:
    across, down = (sorted(axis.choices, key=dict(zip(axis.texts, axis.numbers, strict=True)).__getitem__)
                    for axis in (x, y))  # fmt: skip
    sums, counts = np.zeros((2, len(down), len(across)))
    for a, b, value in zip(x.texts, y.texts, points.values, strict=True):
        if a is not None and b is not None:
            sums[down.index(b), across.index(a)] += value
            counts[down.index(b), across.index(a)] += 1
    means = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    image = ax.imshow(means, cmap=style.SCALE, aspect="auto", origin="lower")
    for (i, j), value in np.ndenumerate(means):
        if np.isfinite(value):
            ink = style.ink_on(image.cmap(image.norm(value)))
            ax.text(j, i, f"{value:.3g}", ha="center", va="center", color=ink, fontsize=8)
    ax.set_xticks(range(len(across)), [style.shorten(text, 12) for text in across])
    ax.set_yticks(range(len(down)), [style.shorten(text, 20) for text in down])
    ax.set_xlabel(style.shorten(x.key))
    ax.set_ylabel(style.shorten(y.key))
    ax.grid(visible=False)
    return image
