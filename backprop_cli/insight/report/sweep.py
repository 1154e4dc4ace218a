"""The part of a report that is about a sweep: its settings, best first, and which key mattered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from backprop_cli.commands.sweep.importance import importances
from backprop_cli.commands.sweep.points import points_of
from backprop_cli.commands.sweep.summary import outcomes_of, summarize, verdict
from backprop_cli.errors import UsageError
from backprop_cli.insight import plots, style
from backprop_cli.insight.report.markup import Markup, element, join, note, table
from backprop_cli.insight.view import View


def settings(folder: Path) -> Markup:
    """A row for each setting: mean, standard deviation and number of trainings, over seeds and folds."""
    summary = summarize(folder, outcomes_of(folder))
    keys = list(dict.fromkeys(key for setting in summary.settings for key in setting.settings))
    heads = ["n", "left_out", "mean", "std", "error", "p", "best_run"]
    rows = [[*map(row["settings"].get, keys), *(row[head] for head in heads)] for row in summary.rows]
    said = element("p", f"Mean of {summary.metric}; p of Welch's t-test beside the first.", class_="faint")
    return join([element("p", verdict(summary)), said, table([*keys, *heads], rows, class_="sortable")])


def what_mattered(folder: Path, views: Sequence[View]) -> Markup:
    """Importances where there are trials enough, and the goal against each key."""
    points = points_of(folder, outcomes_of(folder))
    try:
        shares = importances(folder, points)
        parts = [table(["key", "importance (PED-ANOVA)"], [[key, share] for key, share in shares.items()])]
    except UsageError as error:
        parts = [note(str(error))]
    for kind in ("slice", "parallel"):
        with style.styled(on_a_page=True):
            svg = style.inline_svg(plots.draw(kind, views), f"{folder.name}/{kind}")
        parts.append(element("div", Markup(svg), class_="picture"))
    return join(parts)
