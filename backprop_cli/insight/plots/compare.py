"""Runs side by side: their curves, over a table of where their configs and results differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure, SubFigure

from backprop_cli.commands import compare
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.curves import wanted
from backprop_cli.insight.plots import PictureOptions, loss
from backprop_cli.insight.view import View

ROWS = 16  # of the table about the configs, at most


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw the curves of several runs, and below them a table of what differs. Raises UsageError for a single run."""
    if len(views) < 2:
        raise UsageError("expected two or more runs to compare; for one run use --kind loss")
    rows = compare.rows(compare.compare([view.run for view in views]))
    shown, results = ([row for row in rows if (row[0] == "config") == of_config] for of_config in (True, False))
    if len(shown) > ROWS:
        left_out = f"… and {len(shown) - ROWS} more differences"
        shown = [*shown[:ROWS], ["", left_out, *["" for _ in views], None]]
    shown += results
    quantities = wanted(views, options.metrics)
    curves, table = figure.subfigures(2, 1, squeeze=False, height_ratios=[4.2, 0.5 + 0.26 * len(shown)]).flat
    figure.set_size_inches(max(7.0, 5 * len(quantities), 2.4 * (len(views) + 1.4)), 4.9 + 0.26 * len(shown))
    loss.draw_panels(curves, views, quantities, options)
    _table(table, views, shown)
    curves.suptitle(f"{len(views)} runs compared: {', '.join(quantities)}")


def _table(figure: SubFigure, views: Sequence[View], rows: list[list[Any]]) -> None:
    ax = figure.subplots()
    ax.set_axis_off()
    cells = [[f"{row[0]} {row[1]}".strip(), *map(_cell, row[2 : 2 + len(views)])] for row in rows]
    heads = ["", *(style.shorten(view.run.id, 30) for view in views)]
    table = ax.table(cells, colLabels=heads, loc="center", cellLoc="right", edges="horizontal")
    table.auto_set_font_size(False)
    table.set_fontsize(8)
    table.scale(1, 1.25)
    for (i, j), cell in table.get_celld().items():
        cell.set_linewidth(0.4)
        if j == 0:
            cell.set_text_props(ha="left")
        elif i > 0:
            cell.get_text().set_color(style.color(j - 1, len(views)))


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:.4g}" if isinstance(value, float) else style.shorten(str(value), 28)
