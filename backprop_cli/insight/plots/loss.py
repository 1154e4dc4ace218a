"""Loss and metrics over training, several runs on one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from backprop_cli.insight import style
from backprop_cli.insight.curves import AXES, Curve, curve, spans_decades, wanted
from backprop_cli.insight.plots import Options
from backprop_cli.insight.view import View

_UNITS = {"accuracy": " (share of examples)", "learning_rate": " (per step)"}
MARKED = 25  # points up to which each is marked


def draw(figure: Figure, views: Sequence[View], options: Options) -> None:
    found = wanted(views, options.metrics)
    figure.set_size_inches(max(6.4, 5 * len(found)), 4.2)
    draw_panels(figure, views, found, options)
    title = style.shorten(views[0].run.id, 60) if len(views) == 1 else f"{len(views)} runs"
    figure.suptitle(f"{title}: {', '.join(found).replace('_', ' ')}")
    short = [view.label for view in views if len({row["epoch"] for row in view.rows}) == 1]
    if short:
        options.note(f"{', '.join(short)}: one epoch only, so a point in place of a curve")


def draw_panels(
    figure: Figure | SubFigure, views: Sequence[View], found: dict[str, list[str]], options: Options
) -> None:
    """A panel a quantity, and one legend. Where both phases are drawn, training is dashed."""
    axes = figure.subplots(1, len(found), squeeze=False)[0]
    curves = {
        quantity: [(i, each) for i, view in enumerate(views) for phase in phases
                   if (each := curve(view, quantity, phase, options.x))]
        for quantity, phases in found.items()
    }  # fmt: skip
    several = len({each.phase for drawn in curves.values() for _, each in drawn} - {""}) > 1
    for ax, (quantity, drawn) in zip(axes, curves.items(), strict=True):
        _panel(ax, views, quantity, drawn, options, several)
    style.legend_below(figure, *axes)


def _panel(
    ax: Axes, views: Sequence[View], quantity: str, drawn: list[tuple[int, Curve]], options: Options, several: bool
) -> None:
    """The curves of one quantity: a colour a run, or a phase where there is one run; the best epoch marked."""
    for i, found in drawn:
        tint = style.color(i, len(views)) if len(views) > 1 else style.LINES[several and found.phase == "train"]
        name = " ".join(part for part in (views[i].label if len(views) > 1 else "", found.phase) if part)
        y = np.array([np.nan if value is None else value for value in found.y], float)
        dashed = several and found.phase == "train"
        label = style.visible(style.shorten(name or quantity, 70))
        marker = "." if len(y) <= MARKED else None
        ax.plot(found.x, y, "--" if dashed else "-", color=tint, label=label, marker=marker, zorder=2 + (not dashed))
        _mark_best(ax, views[i], f"{found.phase}/{quantity}", options, tint)
    if spans_decades([found for _, found in drawn]):
        style.logarithmic(ax.yaxis)
    if options.x != "time":
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel(AXES[options.x])
    ax.set_ylabel(quantity.replace("_", " ") + _UNITS.get(quantity, ""))


def _mark_best(ax: Axes, view: View, key: str, options: Options, tint: str) -> None:
    best = view.run.info.get("best") or {}
    row = next((row for row in view.rows if row.get("epoch") == best.get("epoch")), {})
    if key in best and row.get(key) is not None and options.x in row:
        ax.plot([row[options.x]], [row[key]], "o", color=tint, markersize=7, fillstyle="none", zorder=4)
