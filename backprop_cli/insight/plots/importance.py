"""Which key of a sweep mattered for its goal (PED-ANOVA)."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from backprop_cli.commands.sweep.importance import importances
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.sweeps import drawn_from
from backprop_cli.insight.view import View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a bar for each key of a sweep, as long as its share of the importance.

    Raises UsageError for fewer than ten trials, and for runs that are no sweep.
    """
    folder, points = drawn_from(views, options.metrics, "importance")
    shares = importances(folder, points)
    figure.set_size_inches(6.4, 1.4 + 0.4 * len(shares))
    ax = figure.subplots()
    keys = [style.shorten(key) for key in shares][::-1]
    bars = ax.barh(keys, list(shares.values())[::-1], color=style.BLUE)
    ax.bar_label(bars, fmt="{:.2f}", padding=3)
    ax.set_xlim(0, 1.1)
    ax.set_xlabel(f"importance for {points.metric} (share; PED-ANOVA, {len(points.values)} trials)")
    figure.suptitle(style.shorten(folder.name, 60))
