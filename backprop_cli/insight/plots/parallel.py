"""A sweep's trials as lines across the keys that were varied, coloured by how good they were."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.sweeps import LABELLED, drawn_from, shares
from backprop_cli.insight.view import View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a line for each trial of a sweep, from its value of each key to its metric; the best is red.

    Raises UsageError for runs that are no sweep.
    """
    folder, points = drawn_from(views, options.metrics, "parallel")
    count = len(points.values)
    figure.set_size_inches(max(5.0, 2.2 * (len(points.columns) + 1)), 4.4)
    ax = figure.subplots()
    values = np.asarray(points.values)
    spread = np.ptp(values) or 1.0
    lines = np.column_stack([*map(shares, points.columns), (values - values.min()) / spread])
    for i in range(count - 1, -1, -1):  # the best on top
        tint = style.VERMILLION if i == 0 else style.shade(count - 1 - i, count)
        ax.plot(lines[i], "-o", color=tint, alpha=1 if i == 0 else 0.5, linewidth=2.2 if i == 0 else 1, markersize=3)
    heads = [*(style.shorten(column.key, 24) for column in points.columns), points.metric]
    ax.set_xticks(range(len(heads)), heads)
    for x, column in enumerate(points.columns):
        known = [(share, text) for share, text in zip(lines[:, x], column.texts, strict=True) if text is not None]
        if column.numeric or column.distinct > LABELLED:
            known = [min(known), max(known)]
        for share, text in set(known):
            ax.annotate(style.shorten(text, 16), (x, share), xytext=(4, 2), textcoords="offset points", fontsize=8)
    for value, share in ((values.min(), 0.0), (values.max(), 1.0)):
        x, text = len(heads) - 1, f"{value:.4g}"
        ax.annotate(text, (x, share), xytext=(4, 2), textcoords="offset points", fontsize=8)
    ax.set_yticks([])
    ax.grid(axis="y", visible=False)
    ax.margins(x=0.15)
    figure.suptitle(f"{style.shorten(folder.name, 50)}: {count} trials, the best in red")
