"""The picture of a lesson: a kind of `bp plot` over its runs, its figures themselves, or what its own code draws."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from backprop_cli.commands.lessons.run import Result
from backprop_cli.runs.directory import RunDirectory


def picture(
    runs: Mapping[str, RunDirectory],
    path: Path,
    *,
    kind: str = "loss",
    draw: Callable[..., None] | None = None,
    results: Sequence[Result] = (),
    **options: Any,
) -> Path:
    """Write the picture of the runs of one seed, each called by its short name.

    `draw(figure, runs)` takes the place of a kind of plot; the kind `figures` shows the results of all seeds.
    """
    from matplotlib.figure import Figure

    from backprop_cli.insight import plots, style
    from backprop_cli.insight.view import View

    with style.styled():
        if draw is not None:
            figure = Figure(layout="constrained")
            draw(figure, runs)
        elif kind == "figures":
            figure = Figure(layout="constrained")
            _figures(figure.subplots(), results)
        else:
            views = [View(run) for run in runs.values()]
            for view, name in zip(views, runs, strict=True):
                view.label = name
            figure = plots.draw(kind, views, plots.PictureOptions(**options))
        style.save(figure, path)
    return path


def _figures(axes: Any, results: Sequence[Result]) -> None:
    """A line for each figure: where it is expected, what is printed, and what each seed gives."""
    for row, result in enumerate(results):
        low, high = result.figure.expect
        axes.barh(row, high - low, left=low, height=0.5, color="#dddddd", label="expected" if not row else None)
        if result.figure.printed is not None:
            axes.plot([result.figure.printed] * 2, [row - 0.25, row + 0.25], "k-", label="printed" if not row else None)
        axes.plot(result.values, [row] * len(result.values), "o", color="C0", label="seeds" if not row else None)
    axes.set_yticks(range(len(results)), [textwrap.fill(result.figure.say, 28) for result in results])
    axes.set_ylim(len(results) - 0.5, -0.5)
    axes.margins(x=0.05)
    axes.use_sticky_edges = False
    axes.figure.legend(loc="outside lower center", ncols=3)
