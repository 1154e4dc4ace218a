"""A sweep's goal against each key that was varied, a point a trial."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.sweeps import axis, drawn_from
from backprop_cli.insight.view import View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a panel for each key of a sweep: a point for each trial, its metric over its value of the key.

    Raises UsageError for runs that are no sweep.
    """
    folder, points = drawn_from(views, options.metrics, "slice")
    for part, column in style.panels(figure, points.columns, 4.2, 3.4):
        ax = part.subplots()
        ax.plot(column.numbers, points.values, "o", color=style.BLUE, alpha=0.6, markersize=5)
        ax.plot(column.numbers[:1], points.values[:1], "o", color=style.VERMILLION, markersize=8, fillstyle="none")
        axis(ax, "x", column)
        ax.set_ylabel(points.metric)
        values = np.asarray(points.values)
        if values.min() > 0 and values.max() / values.min() > 50:
            style.logarithmic(ax.yaxis)
    figure.suptitle(f"{style.shorten(folder.name, 50)}: {points.metric}, the best circled")
