"""Loss and metrics over training, several runs on one picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from matplotlib.ticker import MaxNLocator

from backprop_cli.commands.labels import by_seed
from backprop_cli.insight import style
from backprop_cli.insight.curves import AXES, Curve, band, curve, leading, spans_decades, wanted
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.view import View

_UNITS = {"accuracy": " (share of examples)", "learning_rate": " (per step)"}
MARKED = 25  # points up to which each is marked


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a panel for each metric, with a curve for each run over epochs, steps or seconds.

    Raises UsageError for a metric that no run has, and for a run without an epoch.
    """
    shown = wanted(views, options.metrics)
    figure.set_size_inches(max(6.4, 5 * len(shown)), 4.2)
    draw_panels(figure, views, shown, options)
    title = style.shorten(views[0].run.id, 60) if len(views) == 1 else f"{len(views)} runs"
    figure.suptitle(f"{title}: {', '.join(shown).replace('_', ' ')}")
    short = [view.label for view in views if len({row["epoch"] for row in view.rows}) == 1]
    if short:
        options.note(f"{', '.join(short)}: one epoch only, so a point in place of a curve")


def draw_panels(
    figure: Figure | SubFigure, views: Sequence[View], phases_of: dict[str, list[str]], options: PictureOptions
) -> None:
    """A panel a quantity, and one legend. Where both phases are drawn, training is dashed."""
    axes = figure.subplots(1, len(phases_of), squeeze=False)[0]
    curves = {
        quantity: [(i, line) for i, view in enumerate(views) for phase in phases
                   if (line := curve(view, quantity, phase, options.x))]
        for quantity, phases in phases_of.items()
    }  # fmt: skip
    several = len({one.phase for drawn in curves.values() for _, one in drawn} - {""}) > 1
    groups = by_seed([view.run for view in views]) if options.group else {}
    for ax, (quantity, drawn) in zip(axes, curves.items(), strict=True):
        if groups:
            _bands(ax, groups, quantity, drawn, several)
        else:
            _lines(ax, views, quantity, drawn, options, several)
        if spans_decades([one for _, one in drawn]):
            style.logarithmic(ax.yaxis)
        if options.x != "time":
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel(AXES[options.x])
        ax.set_ylabel(quantity.replace("_", " ") + _UNITS.get(quantity, ""))
    style.legend_below(figure, *axes)


def _lines(
    ax: Axes,
    views: Sequence[View],
    quantity: str,
    drawn: list[tuple[int, Curve]],
    options: PictureOptions,
    several: bool,
) -> None:
    """The curves of one quantity: a colour a run, or a phase where there is one run; the best epoch marked.

    Of more runs than there are colours, the best few stand out and the rest are faint.
    """
    standing_out = leading(views)
    for i, line in drawn:
        faint = len(standing_out) < len(views) and i not in standing_out
        tint = style.LINES[several and line.phase == "train"]
        if len(views) > 1:
            tint = style.GREY if faint else style.color(standing_out.index(i), len(standing_out))
        name = " ".join(part for part in (views[i].label if len(views) > 1 else "", line.phase) if part)
        y = np.array([np.nan if value is None else value for value in line.y], float)
        dashed = several and line.phase == "train"
        label = None if faint else style.in_legend(style.shorten(name or quantity, 70))
        marker = "." if len(y) <= MARKED and not faint else None
        ax.plot(line.x, y, "--" if dashed else "-", color=tint, label=label, marker=marker, alpha=0.3 if faint else 1,
                linewidth=0.8 if faint else None, zorder=1.5 if faint else 2 + (not dashed))  # fmt: skip
        if not faint:
            _mark_best(ax, views[i], f"{line.phase}/{quantity}", options, tint)
    if len(standing_out) < len(views):
        others = f"{len(views) - len(standing_out)} others: all but the best {len(standing_out)}"
        ax.plot([], [], color=style.GREY, alpha=0.5, label=others)


def _bands(
    ax: Axes, groups: dict[str, list[int]], quantity: str, drawn: list[tuple[int, Curve]], several: bool
) -> None:
    """A line a group: the mean over its seeds, within a band of one standard deviation."""
    for index, (label, members) in enumerate(groups.items()):
        tint = style.color(index, len(groups))
        for phase in dict.fromkeys(line.phase for _, line in drawn):
            own = [line for i, line in drawn if i in members and line.phase == phase]
            if not own:
                continue
            dashed = several and phase == "train"
            seeds = f"{len(own)} seed{'s' if len(own) > 1 else ''}"
            name = " ".join(part for part in (style.shorten(label, 60), phase, f"({seeds})") if part)
            shown = band(own)
            ax.plot(shown.x, shown.mean, "--" if dashed else "-", color=tint, label=style.in_legend(name))
            if not dashed:
                low, high = shown.mean - shown.std, shown.mean + shown.std
                ax.fill_between(shown.x, low, high, color=tint, alpha=0.15, linewidth=0)


def _mark_best(ax: Axes, view: View, key: str, options: PictureOptions, tint: str) -> None:
    best = view.run.info.get("best") or {}
    row = next((row for row in view.rows if row["epoch"] == best.get("epoch")), {})
    if key in best and row.get(key) is not None and options.x in row:
        ax.plot([row[options.x]], [row[key]], "o", color=tint, markersize=7, fillstyle="none", zorder=4)
