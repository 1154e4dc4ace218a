"""A sweep's trials by two goals, with the front of those that no other beats."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from backprop_cli.commands.sweep.goals import Goal, front
from backprop_cli.commands.sweep.noted import goals
from backprop_cli.errors import UsageError
from backprop_cli.insight import style
from backprop_cli.insight.plots import PictureOptions
from backprop_cli.insight.sweeps import drawn_from
from backprop_cli.insight.view import View


def draw(figure: Figure, views: Sequence[View], options: PictureOptions) -> None:
    """Draw a point for each trial of a sweep by its first two goals, and a line through those that no other beats.

    Raises UsageError for a sweep with a single goal, and for runs that are no sweep.
    """
    folder, points = drawn_from(views, [], "pareto")
    wanted = [Goal(goal["name"], goal["maximize"]) for goal in goals(folder)]
    if len(wanted) < 2:
        raise UsageError(f"{folder} has one goal; expected a sweep of two, with --monitor A,B")
    across, up = wanted[:2]
    figure.set_size_inches(6.4, 4.6)
    ax = figure.subplots()
    places = [(across.value(outcome), up.value(outcome)) for outcome in points.outcomes]
    ax.plot(*zip(*[pair for pair in places if None not in pair], strict=True), "o", color=style.GREY, alpha=0.5)
    ahead = [(across.value(outcome), up.value(outcome)) for outcome in front(wanted[:2], points.outcomes)]
    ahead.sort(key=lambda pair: pair[0] or 0.0)
    ax.plot(*zip(*ahead, strict=True), "o-", color=style.VERMILLION, label=f"{len(ahead)} that no other beats")
    for goal, name in ((across, "x"), (up, "y")):
        getattr(ax, f"set_{name}label")(f"{goal.name} ({'more' if goal.maximize else 'less'} is better)")
    style.legend_below(figure, ax)
    figure.suptitle(f"{style.shorten(folder.name, 50)}: {len(points.outcomes)} trials")
